import { sql } from "drizzle-orm"
import { foreignKey, index, jsonb } from "drizzle-orm/pg-core"
import type { BackendName } from "../../core/deployment/deployments.ts"
import type { Statuses } from "../../core/deployment/health.ts"
import { instant, tenantId } from "./columns.ts"
import { ownRows, systemRows } from "./policies.ts"
import { hotswap } from "./schema.ts"
import { tenants } from "./tenants.ts"

/**
 * What is known here of the deployments that a tenant's row names: a row for each tenant that has any. It is about this
 * network, and does not travel with the tenant.
 */
export const deploymentStates = hotswap.table(
  "deployment_states",
  {
    tenantId: tenantId().primaryKey(),
    /** Backends that an admin of the platform set: they may be where only this network reaches. */
    vouched: jsonb("vouched").$type<BackendName[]>().notNull().default([]),
    statuses: jsonb("statuses").$type<Statuses>().notNull().default({}),
    checkedAt: instant("checked_at"),
    /** When they are to be looked at again. */
    dueAt: instant("due_at").notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    index("deployment_states_due").on(t.dueAt),
    ownRows(t.tenantId),
    systemRows(),
    systemRows("update"),
  ],
)
