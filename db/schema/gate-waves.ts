import {
  bigint,
  boolean,
  doublePrecision,
  foreignKey,
  index,
  integer,
  primaryKey,
  text,
} from "drizzle-orm/pg-core"
import { changes } from "./changes.ts"
import { environment, instant, tenantId } from "./columns.ts"
import { ownRows, systemRows } from "./policies.ts"
import { hotswap } from "./schema.ts"
import { tenants } from "./tenants.ts"

const share = (name: string) => doublePrecision(name).notNull().default(0)
const count = (name: string) => bigint(name, { mode: "number" }).notNull().default(0)

/** What is usual for a tenant's readers: requests and errors on stable, older ones counting for less and less. */
export const gateBaselines = hotswap.table(
  "gate_baselines",
  {
    tenantId: tenantId(),
    environment: environment(),
    ok: share("ok"),
    errors: share("errors"),
    /** The time that both are decayed to. */
    at: instant("at").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.environment] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    ownRows(t.tenantId),
  ],
)

/** An instance of a tenant's readers that reports on stable, and what it said in this step of a wave that reached the tenant. */
export const gateReaders = hotswap.table(
  "gate_readers",
  {
    tenantId: tenantId(),
    environment: environment(),
    instance: text("instance").notNull(),
    /** The token that spoke for it first. */
    tokenId: text("token_id").notNull(),
    /** Of the last report that counted: an earlier one, or the same again, does not. */
    seq: bigint("seq", { mode: "number" }).notNull(),
    at: instant("at").notNull(),
    /** The wave's change and step that the counts are about. */
    changeId: text("change_id"),
    step: integer("step"),
    ok: count("ok"),
    errors: count("errors"),
    /** Reports of a configuration that could not be used. */
    guards: count("guards"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.environment, t.instance] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    index("gate_readers_at").on(t.at),
    ownRows(t.tenantId),
    systemRows(),
    systemRows("delete"),
  ],
)

/**
 * How a tenant fares while a change of the platform or a tier goes out by waves. A row belongs to the change's scope,
 * which judges by it; the tenant is `unit`.
 */
export const gateTenants = hotswap.table(
  "gate_tenants",
  {
    tenantId: tenantId(),
    changeId: text("change_id").notNull(),
    unit: text("unit").notNull(),
    /** A wave has reached it. */
    reached: boolean("reached").notNull(),
    /** What was usual for it until then, or until the rollout began. */
    beforeOk: share("before_ok"),
    beforeErrors: share("before_errors"),
    /** In steps before this one, reached or not. */
    earlierOk: count("earlier_ok"),
    earlierErrors: count("earlier_errors"),
    /** The step that what follows is of, and when it was first heard in it. */
    step: integer("step").notNull(),
    stepSince: instant("step_since").notNull(),
    afterOk: count("after_ok"),
    afterErrors: count("after_errors"),
    /** What it reported last; comes to `after` once it has settled. */
    recentOk: count("recent_ok"),
    recentErrors: count("recent_errors"),
    recentSince: instant("recent_since"),
    unusable: integer("unusable").notNull().default(0),
    instances: integer("instances").notNull().default(0),
    failing: integer("failing").notNull().default(0),
    lastAt: instant("last_at").notNull(),
    /** The tenant's, as of its last report. */
    tier: text("tier").notNull(),
    /** A wave had reached it in an earlier step. */
    veteran: boolean("veteran").notNull().default(false),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.changeId, t.unit] }),
    foreignKey({
      name: "gate_tenants_change",
      columns: [t.tenantId, t.changeId],
      foreignColumns: [changes.tenantId, changes.changeId],
    }).onDelete("cascade"),
    ownRows(t.tenantId),
    systemRows(),
    systemRows("delete"),
  ],
)
