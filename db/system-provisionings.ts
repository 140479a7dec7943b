import { sql } from "drizzle-orm"
import type { TenantId } from "../core/ids.ts"
import type { Database } from "./client.ts"

// As the role `hotswap_system`, which sees whose provisioning is due and nothing of it.

/**
 * Tenants whose provisioning is to be gone on with by `now`, the longest due first, each for whoever takes it first: until
 * `leaseUntil` nobody else gets it.
 */
export const takeDueProvisionings = (
  system: Database,
  now: string,
  leaseUntil: string,
  limit: number,
): Promise<TenantId[]> =>
  system.transaction(async ({ db }) => {
    const rows = await db.execute<{ tenantId: TenantId }>(sql`
      with due as materialized (
        select tenant_id from hotswap.provisionings where due_at <= ${now}
        order by due_at limit ${limit} for no key update skip locked)
      update hotswap.provisionings p set due_at = ${leaseUntil} from due
        where p.tenant_id = due.tenant_id returning p.tenant_id as "tenantId"`)
    return rows.map(({ tenantId }) => tenantId)
  })
