import { sql } from "drizzle-orm"
import { bigint, foreignKey, index, pgPolicy, primaryKey, text } from "drizzle-orm/pg-core"
import { hash, instant, tenantId } from "./columns.ts"
import { ownRows, systemRows } from "./policies.ts"
import { hotswap, systemRole } from "./schema.ts"
import { tenants } from "./tenants.ts"

/** Append-only and chained by hash; `body` is canonical JSON, kept byte for byte because the hash covers it. */
export const auditEntries = hotswap.table(
  "audit_entries",
  {
    tenantId: tenantId(),
    seq: bigint("seq", { mode: "number" }).notNull(),
    at: instant("at").notNull(),
    body: text("body").notNull(),
    prev: hash("prev").notNull(),
    hash: hash("hash").notNull(),
    // What lists filter by, taken from the body by the database so that they cannot differ from it.
    actor: text("actor").generatedAlwaysAs(sql`(body::jsonb #>> '{actor,subject}')`),
    action: text("action").generatedAlwaysAs(sql`(body::jsonb ->> 'action')`),
    target: text("target").generatedAlwaysAs(sql`(body::jsonb ->> 'target')`),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.seq] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    index("audit_entries_at").on(t.tenantId, t.at),
    index("audit_entries_target").on(t.tenantId, t.target, t.seq),
    ownRows(t.tenantId),
    // Its grants show it hashes and times, no words.
    systemRows(),
    // What a signed drop covers and the scope keeps no longer; whatever is asked, nothing younger goes.
    pgPolicy("system_drop", {
      as: "permissive",
      for: "delete",
      to: systemRole,
      using: sql`${t.at} < now() - interval '90 days' and ${t.seq} <= (select max(d.through) from hotswap.audit_drops d where d.tenant_id = ${t.tenantId}) and ${t.at} < now() - (select make_interval(days => r.days) from hotswap.audit_retention r where r.tenant_id = ${t.tenantId})`,
    }),
  ],
)

/** Where a tenant's chain ends: the row that writers of one tenant queue for. */
export const auditHeads = hotswap.table(
  "audit_heads",
  {
    tenantId: tenantId().primaryKey(),
    seq: bigint("seq", { mode: "number" }).notNull(),
    hash: hash("hash").notNull(),
    at: instant("at").notNull(),
  },
  (t) => [
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    ownRows(t.tenantId),
    systemRows(),
  ],
)
