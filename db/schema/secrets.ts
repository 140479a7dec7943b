import { sql } from "drizzle-orm"
import { check, customType, foreignKey, integer, primaryKey, text } from "drizzle-orm/pg-core"
import { environment, instant, tenantId } from "./columns.ts"
import { ownRows, systemRows } from "./policies.ts"
import { hotswap } from "./schema.ts"
import { tenants } from "./tenants.ts"

/** Bytes as they are. The driver writes and reads them by itself. */
const bytes = customType<{ data: Uint8Array }>({ dataType: () => "bytea" })

/**
 * Data keys, each wrapped by a key of its scope that is not in this database. A realm is an environment,
 * `~channels`, `~backups` or `~deployments`; of its generations the last one seals, and all of them open.
 */
export const dataKeys = hotswap.table(
  "data_keys",
  {
    tenantId: tenantId(),
    realm: text("realm").notNull(),
    generation: integer("generation").notNull(),
    /** `null`: it was shredded, and what it sealed can be opened by nobody. */
    wrapped: bytes("wrapped"),
    /** Names the key that wrapped it. */
    wrappedBy: text("wrapped_by").notNull(),
    at: instant("at").notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.realm, t.generation] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    check("data_keys_generation", sql`${t.generation} >= 1`),
    ownRows(t.tenantId),
    // Its grants show it which keys there are, and not one of them.
    systemRows(),
  ],
)

/**
 * Every value a secret config ever had, sealed: what its versions and releases name by number. What a tenant's deployments
 * name is in `~deployments`, as if that were an environment.
 */
export const secretValues = hotswap.table(
  "secret_values",
  {
    tenantId: tenantId(),
    environment: environment(),
    key: text("key").notNull(),
    /** Rises with every value that is set; the number in the marker that stands for it everywhere else. */
    version: integer("version").notNull(),
    generation: integer("generation").notNull(),
    /** Nonce, ciphertext and tag. */
    sealed: bytes("sealed").notNull(),
    /** Where it was promoted from. */
    copiedEnvironment: text("copied_environment"),
    copiedVersion: integer("copied_version"),
    at: instant("at").notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.environment, t.key, t.version] }),
    foreignKey({
      name: "secret_values_data_key",
      columns: [t.tenantId, t.environment, t.generation],
      foreignColumns: [dataKeys.tenantId, dataKeys.realm, dataKeys.generation],
    }),
    check("secret_values_copied", sql`num_nulls(${t.copiedEnvironment}, ${t.copiedVersion}) in (0, 2)`),
    ownRows(t.tenantId),
    systemRows(),
  ],
)
