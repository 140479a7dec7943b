import type { Environment } from "../../core/environment.ts"
import { PLATFORM, type ScopeId, type TenantId, type Tier, tierScope, type ViewId } from "../../core/ids.ts"

/** Tagged with the tenant, so that all of a tenant's keys are on one shard. */
export const pointerKey = (tenantId: TenantId, environment: Environment): string =>
  `hotswap:{${tenantId}}:pointer:${environment}`

/** One key per chunk of a view; a view in one piece has no index. */
export const viewKeys = (tenantId: TenantId, viewId: ViewId, chunks: number): string[] => {
  const whole = `hotswap:{${tenantId}}:view:${viewId}`
  return chunks === 1 ? [whole] : Array.from({ length: chunks }, (_, index) => `${whole}:${index}`)
}

/** The small view that was stored last, once more, under a name that is known before the pointer is. */
export const lastViewKey = (tenantId: TenantId, environment: Environment): string =>
  `hotswap:{${tenantId}}:last:${environment}`

/** A pattern for all keys of a tenant: a slug holds nothing that a pattern would take for its own. */
export const keysOfTenant = (tenantId: TenantId): string => `hotswap:{${tenantId}}:*`

/** How far the platform and the tiers have moved: scope to pointer sequence number. */
export const marksKey = (environment: Environment): string => `hotswap:marks:${environment}`
export const markFields = (tier: Tier): [ScopeId, ScopeId] => [PLATFORM, tierScope(tier)]

/** Where a scope's moves are told; the platform and the tiers share one. */
export const eventsChannel = (scope: ScopeId): string =>
  `hotswap:{${scope.startsWith("~") ? PLATFORM : scope}}:events`

/** What was answered to a taking under an idempotency key. */
export const limitOnceKey = (tenantId: TenantId, key: string): string =>
  `hotswap:{${tenantId}}:limit-once:${key}`

/** What was taken of an action's limit within its window. */
export const limitWindowKey = (tenantId: TenantId, environment: Environment, action: string): string =>
  `hotswap:{${tenantId}}:limit:${environment}:${action}`
