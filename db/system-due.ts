import { sql } from "drizzle-orm"
import type { TenantId } from "../core/ids.ts"
import type { Database } from "./client.ts"

// As the role `hotswap_system`, which sees whose turn it is and nothing else of them.

/** Where it stands whose turn is when: deployments to be looked at, provisionings to be gone on with. */
type DueTable = "deployment_states" | "provisionings"

/**
 * Tenants whose turn it is by `now`, the longest due first, each for whoever takes it first: until `leaseUntil` nobody
 * else gets it.
 */
export const takeDue = (
  system: Database,
  table: DueTable,
  now: string,
  leaseUntil: string,
  limit: number,
): Promise<TenantId[]> =>
  system.transaction(async ({ db }) => {
    const from = sql.identifier(table)
    const rows = await db.execute<{ tenantId: TenantId }>(sql`
      with due as materialized (
        select tenant_id from hotswap.${from} where due_at <= ${now}
        order by due_at limit ${limit} for no key update skip locked)
      update hotswap.${from} taken set due_at = ${leaseUntil} from due
        where taken.tenant_id = due.tenant_id returning taken.tenant_id as "tenantId"`)
    return rows.map(({ tenantId }) => tenantId)
  })
