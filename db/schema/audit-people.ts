import { sql } from "drizzle-orm"
import { check, foreignKey, primaryKey, text, unique } from "drizzle-orm/pg-core"
import { hash, instant, tenantId } from "./columns.ts"
import { ownRows } from "./policies.ts"
import { hotswap } from "./schema.ts"
import { tenants } from "./tenants.ts"

/** Who the pseudonyms of audit entries are. A row that is deleted takes the salt along: nobody can be guessed from what is left. */
export const auditPeople = hotswap.table(
  "audit_people",
  {
    tenantId: tenantId(),
    /** `person:` and the hex of `SHA-256(salt ‖ subject)`. */
    pseudonym: text("pseudonym").notNull(),
    subject: text("subject").notNull(),
    /** 32 bytes, this person's alone. */
    salt: hash("salt").notNull(),
    at: instant("at").notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.pseudonym] }),
    unique("audit_people_subject").on(t.tenantId, t.subject),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    ownRows(t.tenantId),
  ],
)

/**
 * What values are bound with in audit entries: an HMAC-SHA256 key of 32 random bytes, as the two blocks that RFC 2104 makes
 * of it, since PostgreSQL has SHA-256 and no HMAC.
 */
export const auditKeys = hotswap.table(
  "audit_keys",
  {
    tenantId: tenantId().primaryKey(),
    inner: hash("inner_block").notNull(),
    outer: hash("outer_block").notNull(),
  },
  (t) => [
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    check("audit_keys_blocks", sql`length(${t.inner}) = 64 and length(${t.outer}) = 64`),
    ownRows(t.tenantId),
  ],
)
