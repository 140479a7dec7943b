import { sql } from "drizzle-orm"
import { check, foreignKey, index, jsonb, primaryKey, text } from "drizzle-orm/pg-core"
import type { Role } from "../../core/access.ts"
import type { Actor } from "../../core/change/change.ts"
import { instant, tenantId } from "./columns.ts"
import { inheritedRows, ownRows } from "./policies.ts"
import { hotswap } from "./schema.ts"
import { tenants } from "./tenants.ts"

/** A token is never kept, only the hash of an API token's secret; a reader token is verified by its signature. */
export const tokens = hotswap.table(
  "tokens",
  {
    tenantId: tenantId(),
    tokenId: text("token_id").notNull(),
    kind: text("kind", { enum: ["api", "reader"] }).notNull(),
    subject: text("subject").notNull(),
    roles: jsonb("roles").$type<Role[]>().notNull(),
    /** Which tenants a token of the platform reaches; `null` for a tenant's own. */
    tenants: jsonb("tenants").$type<string[] | "*">(),
    environment: text("environment"),
    /** SHA-256 of the secret, hex; `null` for reader tokens. */
    secretHash: text("secret_hash"),
    issuer: jsonb("issuer").$type<Actor>().notNull(),
    createdAt: instant("created_at").notNull().default(sql`now()`),
    expiresAt: instant("expires_at").notNull(),
    revokedAt: instant("revoked_at"),
    revokedBy: text("revoked_by"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.tokenId] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    check("tokens_secret", sql`(${t.kind} = 'api') = (${t.secretHash} is not null)`),
    index("tokens_revoked_readers")
      .on(t.tenantId)
      .where(sql`${t.kind} = 'reader' and ${t.revokedAt} is not null`),
    ownRows(t.tenantId),
    // A tenant's pointer document lists revoked readers of many tenants; nothing else of the platform's shows.
    inheritedRows(t.tenantId, sql`${t.kind} = 'reader' and ${t.revokedAt} is not null`),
  ],
)
