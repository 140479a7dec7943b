import type { Principal } from "../../core/access.ts"
import { PROBLEMS, type ProblemCode, Refusal } from "../../core/errors.ts"
import { isTenant, parseTokenId, type ScopeId, type TenantId } from "../../core/ids.ts"
import type { UsageRecorder } from "../platform/usage.ts"
import { tokenClaimed } from "./auth.ts"

/**
 * Refusals of what nobody does who knows what is theirs. That a limit is reached is none: limits are there to be met with.
 */
const NOT_THEIRS: ReadonlySet<ProblemCode> = new Set([
  ...(["UNAUTHENTICATED", "AUTHENTICATION_LIMITED", "FORBIDDEN"] as const),
  ...(["TENANT_NOT_FOUND", "TENANT_MISMATCH"] as const),
])

/** One request as it becomes known whose it is. */
export interface Asked {
  startedMs: number
  route: string
  method: string
  authorization: string | undefined
  principal: Principal | null
  /** The tenants that it is about, once that is known. */
  tenants: readonly TenantId[]
  /** Of a read of a tenant's configuration: was it in memory? `null`: it is none, or did not come to that. */
  isHit: boolean | null
}

export const askedNow = (asked: Pick<Asked, "route" | "method" | "authorization">): Asked => ({
  ...asked,
  startedMs: performance.now(),
  principal: null,
  tenants: [],
  isHit: null,
})

export const tenantsOf = (scope: ScopeId | null): readonly TenantId[] =>
  scope !== null && isTenant(scope) ? [scope] : []

/** Whose token it is, or says that it is: that is who is to know that somebody tries it where it does not fit. */
const ownerOf = ({ principal, authorization }: Asked): TenantId | null => {
  if (principal === null) {
    const claimed = tokenClaimed(authorization)
    const scope = claimed && parseTokenId(claimed)?.scope
    return scope && isTenant(scope) ? scope : null
  }
  const [only, ...others] = principal.tenants === "*" ? [] : principal.tenants
  return only !== undefined && others.length === 0 ? only : null
}

/** Counts a request that was answered. Costs next to nothing, and waits for nothing. */
export const noteAnswer = (usage: UsageRecorder | undefined, asked: Asked, status: number): void => {
  if (usage === undefined) return
  const { route, method, principal, tenants, isHit, startedMs } = asked
  const durationMs = performance.now() - startedMs
  for (const tenantId of tenants) {
    if (isHit !== null) usage.read(tenantId, isHit, durationMs)
    usage.request({ tenantId, route, method, status, user: principal?.subject ?? "", durationMs })
  }
}

/** The same for one that was refused, or failed. */
export const noteRefusal = (usage: UsageRecorder | undefined, asked: Asked, thrown: unknown): void => {
  if (usage === undefined) return
  const code = thrown instanceof Refusal ? thrown.code : "INTERNAL"
  noteAnswer(usage, asked, PROBLEMS[code].status)
  const owner = NOT_THEIRS.has(code) ? ownerOf(asked) : null
  if (owner !== null) usage.refused(owner)
}
