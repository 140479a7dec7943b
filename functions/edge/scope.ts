import type { Environment } from "../../core/environment.ts"
import type { TenantId, ViewId } from "../../core/ids.ts"

/** One tenant × environment. Made only after the reader's token was checked for both. */
export interface Scope {
  tenantId: TenantId
  environment: Environment
  /** `{tenantId}/{environment}`: neither can hold a slash. */
  name: string
}

export const scopeOf = (tenantId: TenantId, environment: Environment): Scope => ({
  tenantId,
  environment,
  name: `${tenantId}/${environment}`,
})

/** A view, or one chunk of it. */
export interface ViewPart {
  view: ViewId
  index: number | null
}

export const partName = (scope: Scope, part: ViewPart): string =>
  part.index === null ? `${scope.name}/${part.view}` : `${scope.name}/${part.view}/${part.index}`

// Cache keys are built from these names alone: nothing a client writes can reach them. The number is the
// format of what is stored; raise it when that changes.
const STORED = "https://cache.hotswap.internal/1"

export const pointerCacheKey = (scope: Scope): string => `${STORED}/pointer/${scope.name}`
export const viewCacheKey = (scope: Scope, part: ViewPart): string =>
  `${STORED}/view/${partName(scope, part)}`
