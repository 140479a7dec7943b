import { sql } from "drizzle-orm"
import { foreignKey, primaryKey, text } from "drizzle-orm/pg-core"
import { changes } from "./changes.ts"
import { instant, tenantId } from "./columns.ts"
import { ownRows, systemRows } from "./policies.ts"
import { hotswap } from "./schema.ts"

/** A state machine that waits for a change to be approved, and what it wants to hear then. */
export const workflowWaits = hotswap.table(
  "workflow_waits",
  {
    tenantId: tenantId(),
    changeId: text("change_id").notNull(),
    taskToken: text("task_token").notNull(),
    at: instant("at").notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.changeId] }),
    foreignKey({
      name: "workflow_waits_change",
      columns: [t.tenantId, t.changeId],
      foreignColumns: [changes.tenantId, changes.changeId],
    }).onDelete("cascade"),
    ownRows(t.tenantId),
    systemRows(),
    systemRows("delete"),
  ],
)
