import { sql } from "drizzle-orm"
import { bigint, foreignKey, integer, primaryKey, text } from "drizzle-orm/pg-core"
import { changes } from "./changes.ts"
import { environment, instant, tenantId } from "./columns.ts"
import { ownRows, systemRows } from "./policies.ts"
import { hotswap } from "./schema.ts"

const count = (name: string) => bigint(name, { mode: "number" }).notNull().default(0)
const counts = (name: string) => bigint(name, { mode: "number" }).array().notNull().default(sql`'{}'`)

/** One step of a rollout, as its clients saw it. Kept for as long as its change is. */
export const gateSteps = hotswap.table(
  "gate_steps",
  {
    tenantId: tenantId(),
    changeId: text("change_id").notNull(),
    step: integer("step").notNull(),
    environment: environment(),
    since: instant("since").notNull(),
    stableAt: instant("stable_at"),
    candidateAt: instant("candidate_at"),
    stableGuards: count("stable_guards"),
    candidateGuards: count("candidate_guards"),
    stableLatency: counts("stable_latency"),
    candidateLatency: counts("candidate_latency"),
    /** Reports that came when the step was over: counted, and judged no more. */
    late: count("late"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.changeId, t.step] }),
    foreignKey({
      name: "gate_steps_change",
      columns: [t.tenantId, t.changeId],
      foreignColumns: [changes.tenantId, changes.changeId],
    }).onDelete("cascade"),
    ownRows(t.tenantId),
  ],
)

/** What one instance has reported of a step, both arms beside each other. */
export const gateInstances = hotswap.table(
  "gate_instances",
  {
    tenantId: tenantId(),
    changeId: text("change_id").notNull(),
    step: integer("step").notNull(),
    instance: text("instance").notNull(),
    /** The token that spoke for it first. */
    tokenId: text("token_id").notNull(),
    stableOk: count("stable_ok"),
    stableErrors: count("stable_errors"),
    candidateOk: count("candidate_ok"),
    candidateErrors: count("candidate_errors"),
    /** The last report of each arm that counted: an earlier one, or the same again, does not. */
    stableSeq: bigint("stable_seq", { mode: "number" }),
    candidateSeq: bigint("candidate_seq", { mode: "number" }),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.changeId, t.step, t.instance] }),
    foreignKey({
      name: "gate_instances_step",
      columns: [t.tenantId, t.changeId, t.step],
      foreignColumns: [gateSteps.tenantId, gateSteps.changeId, gateSteps.step],
    }).onDelete("cascade"),
    ownRows(t.tenantId),
    systemRows(),
    systemRows("delete"),
  ],
)
