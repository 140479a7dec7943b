import { getTableColumns, sql } from "drizzle-orm"
import type { TenantId, Tier } from "../../core/ids.ts"
import type { Json } from "../../core/json.ts"
import { tenants } from "../schema/tenants.ts"

/** A tenant as it is kept. */
export interface TenantRow {
  tenantId: TenantId
  name: string
  displayName: string | null
  adminEmail: string | null
  tier: Tier
  status: "active" | "suspended" | "deleted"
  features: Record<string, Json>
  quotas: Record<string, Json>
  deployments: Json
  externalIds: string[]
  /** Rises with every update. */
  version: number
  createdAt: string
  updatedAt: string
}

export const tenantColumns = {
  ...getTableColumns(tenants),
  // Spelt out: in a query of one table Drizzle leaves the table's name away, and both have a tenant_id.
  externalIds: sql<string[]>`(select coalesce(jsonb_agg(e.external_id order by e.external_id), '[]')
    from hotswap.external_ids e where e.tenant_id = "tenants"."tenant_id")`,
}

export const tenantRow = (row: unknown): TenantRow => row as TenantRow
