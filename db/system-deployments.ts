import { sql } from "drizzle-orm"
import type { TenantId } from "../core/ids.ts"
import type { Database } from "./client.ts"

// As the role `hotswap_system`, which sees whose deployments are due and nothing of them.

/**
 * Tenants whose deployments are to be looked at by `now`, the longest due first, each for whoever takes it first: until
 * `leaseUntil` nobody else gets it.
 */
export const takeDueDeployments = (
  system: Database,
  now: string,
  leaseUntil: string,
  limit: number,
): Promise<TenantId[]> =>
  system.transaction(async ({ db }) => {
    const rows = await db.execute<{ tenantId: TenantId }>(sql`
      with due as materialized (
        select tenant_id from hotswap.deployment_states where due_at <= ${now}
        order by due_at limit ${limit} for no key update skip locked)
      update hotswap.deployment_states s set due_at = ${leaseUntil} from due
        where s.tenant_id = due.tenant_id returning s.tenant_id as "tenantId"`)
    return rows.map(({ tenantId }) => tenantId)
  })
