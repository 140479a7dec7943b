import { sql } from "drizzle-orm"
import { foreignKey, index, integer, jsonb, primaryKey, text } from "drizzle-orm/pg-core"
import { instant, tenantId } from "./columns.ts"
import { ownRows, systemRows } from "./policies.ts"
import { hotswap } from "./schema.ts"
import { tenants } from "./tenants.ts"

/** Answers to repeat when a request is repeated under its key, kept for a day. */
export const idempotencyKeys = hotswap.table(
  "idempotency_keys",
  {
    tenantId: tenantId(),
    key: text("key").notNull(),
    /** Hash of the request: the same key with another request is refused. */
    fingerprint: text("fingerprint").notNull(),
    status: integer("status").notNull(),
    headers: jsonb("headers").$type<Record<string, string>>().notNull(),
    /** JSON, kept byte for byte. */
    body: text("body").notNull(),
    /** Members of the body that become `at` when the answer is repeated. */
    stamps: jsonb("stamps").$type<string[]>().notNull(),
    at: instant("at").notNull(),
    expiresAt: instant("expires_at").notNull().default(sql`now() + interval '24 hours'`),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.key] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    index("idempotency_keys_expiry").on(t.expiresAt),
    ownRows(t.tenantId),
    systemRows(),
    systemRows("delete"),
  ],
)
