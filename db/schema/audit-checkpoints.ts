import { sql } from "drizzle-orm"
import { bigint, check, foreignKey, integer, pgPolicy, primaryKey, text, unique } from "drizzle-orm/pg-core"
import { hash, instant, tenantId } from "./columns.ts"
import { ownRows, systemRows } from "./policies.ts"
import { hotswap, systemRole } from "./schema.ts"
import { tenants } from "./tenants.ts"

/** The relay, which sees no entry's words, adds for every tenant. */
const systemAdds = () =>
  pgPolicy("system_insert", { as: "permissive", for: "insert", to: systemRole, withCheck: sql`true` })

/** What was signed: the first `size` entries of a chain, as the root of their Merkle tree. Append-only. */
export const auditCheckpoints = hotswap.table(
  "audit_checkpoints",
  {
    tenantId: tenantId(),
    size: bigint("size", { mode: "number" }).notNull(),
    /** The size of the checkpoint before. */
    after: bigint("after", { mode: "number" }).notNull(),
    /** The signed note, byte for byte. */
    note: text("note").notNull(),
    /** Hashes of the perfect subtrees that the tree consists of, largest first, 32 bytes each. */
    frontier: hash("frontier").notNull(),
    /** Hashes of the entries since the checkpoint before, 32 bytes each. */
    hashes: hash("hashes").notNull(),
    at: instant("at").notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.size] }),
    // Of two relays that sign at once only one goes on from a checkpoint: of two the chain would be none any more.
    unique("audit_checkpoints_after").on(t.tenantId, t.after),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    check(
      "audit_checkpoints_grow",
      sql`${t.size} > ${t.after} and length(${t.hashes}) = 32 * (${t.size} - ${t.after})`,
    ),
    ownRows(t.tenantId),
    systemRows(),
    systemAdds(),
  ],
)

/** How long a scope keeps its entries. Without a row, for ever. */
export const auditRetention = hotswap.table(
  "audit_retention",
  {
    tenantId: tenantId().primaryKey(),
    days: integer("days").notNull(),
    updatedAt: instant("updated_at").notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    check("audit_retention_days", sql`${t.days} between 90 and 36500`),
    ownRows(t.tenantId),
    systemRows(),
  ],
)

/** That the entries up to `through` were dropped because of their age, and by whom: signed like a checkpoint. Append-only. */
export const auditDrops = hotswap.table(
  "audit_drops",
  {
    tenantId: tenantId(),
    through: bigint("through", { mode: "number" }).notNull(),
    note: text("note").notNull(),
    at: instant("at").notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.through] }),
    foreignKey({
      name: "audit_drops_checkpoint",
      columns: [t.tenantId, t.through],
      foreignColumns: [auditCheckpoints.tenantId, auditCheckpoints.size],
    }),
    ownRows(t.tenantId),
    systemRows(),
    systemAdds(),
  ],
)
