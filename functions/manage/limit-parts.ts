import type { Principal } from "../../core/access.ts"
import { type Environment, isProduction } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { isTenant, type TenantId } from "../../core/ids.ts"
import { type LimitInForce, limitsInForce } from "../../core/limits/in-force.ts"
import { isAction } from "../../core/limits/limit.ts"
import { rateLimitFields } from "../../core/limits/standing.ts"
import { MANAGEMENT } from "../../core/limits/tiers.ts"
import { tenantNotFound } from "../http/route.ts"
import { CacheUnavailable } from "../platform/breaker.ts"
import type { GrantsRead } from "../platform/grants.ts"
import type { Counted, WindowStanding } from "../platform/limits.ts"
import type { UsageRecorder } from "../platform/usage.ts"
import type { ManageDeps } from "./deps.ts"
import { environmentNamed, isPlatformAdmin, scopeNamed } from "./parse.ts"

/** The tenant of a path, in the environment that is named, or the token's, or else that of its customers. */
export const tenantWithin =
  (deps: ManageDeps) =>
  async (
    { params, query }: { params: { tenantId: string }; query: { environment?: string | undefined } },
    principal: Principal,
  ) => {
    const { environments } = deps.settings
    const scope = await scopeNamed(params.tenantId, principal, deps.findExternal)
    if (!isTenant(scope)) throw tenantNotFound(params.tenantId)
    const customers = environments.find((one) => isProduction(one, environments))!
    const environment =
      query.environment === undefined
        ? (principal.environment ?? customers)
        : environmentNamed(query.environment, environments)
    return { scope, environment }
  }

/** What the tenant is granted. Throws TENANT_NOT_FOUND, or TENANT_SUSPENDED for who is not above it. */
export const grantsOf = async (
  deps: ManageDeps,
  principal: Principal,
  tenantId: TenantId,
  environment: Environment,
): Promise<GrantsRead> => {
  const grants = await deps.grants.read(tenantId, environment)
  if (!grants) throw tenantNotFound(tenantId)
  if (grants.status === "suspended" && !isPlatformAdmin(principal))
    throw new Refusal("TENANT_SUSPENDED", `The tenant "${tenantId}" is suspended.`)
  return grants
}

/** The limit in force, as PostgreSQL has it now. Throws LIMIT_UNKNOWN where nothing says one. */
export const limitInForce = async (
  deps: ManageDeps,
  principal: Principal,
  { tenantId, environment, action }: Counted,
): Promise<LimitInForce> => {
  const grants = await grantsOf(deps, principal, tenantId, environment)
  const found = isAction(action) ? limitsInForce(grants).get(action) : undefined
  if (found) return found
  throw new Refusal("LIMIT_UNKNOWN", `Nothing limits "${action.slice(0, 100)}" there.`)
}

/** Throws LIMITS_UNAVAILABLE where Redis does not answer: whoever asks knows best what to do without. */
export const counted = async <Result>(work: Promise<Result>): Promise<Result> => {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof CacheUnavailable)) throw error
    throw new Refusal("LIMITS_UNAVAILABLE", "What has been counted cannot be had.", { cause: error })
  }
}

/** The members that an answer about a window has, whether it is a refusal or not. */
export const showStanding = (
  what: Counted,
  { limit, source }: LimitInForce,
  { nowMs: _, ...standing }: WindowStanding,
) => ({ ...what, ...standing, windowMs: limit.windowMs, source })

/** For metrics: that it was asked, and how full the window is until it is empty again. */
export const noteStanding = (
  usage: UsageRecorder | undefined,
  { tenantId, environment, action }: Counted,
  { allowed, limit, used, resetAt }: WindowStanding,
): void => {
  const ratio = limit > 0 ? Math.min(1, used / limit) : limit === 0 ? 1 : null
  usage?.limit(tenantId, {
    environment,
    action,
    result: allowed ? "allowed" : "refused",
    used: ratio === null ? null : { ratio, untilMs: Date.parse(resetAt) },
  })
}

/** RateLimit fields of an answer about a window. */
export const fieldsOf = (
  { action }: Counted,
  { limit }: LimitInForce,
  standing: WindowStanding,
): Record<string, string> => rateLimitFields(action, limit, standing, standing.nowMs)

/** What was asked for did not fit in: the same members as if it had. */
export const rateLimited = (what: Counted, found: LimitInForce, standing: WindowStanding): Refusal =>
  new Refusal("RATE_LIMITED", wordsOf(what, standing), {
    extra: showStanding(what, found, standing),
    headers: fieldsOf(what, found, standing),
  })

const wordsOf = ({ action }: Counted, { used, limit, retryAfterMs }: WindowStanding): string =>
  retryAfterMs === null
    ? `It is more than the ${limit} that "${action}" is limited to.`
    : `"${action}" is limited to ${limit}, of which ${used} are used.`

/** What the service counts for itself, nobody else counts into. */
export const mustBeCallers = (action: string): void => {
  if (action === MANAGEMENT)
    throw new Refusal("FORBIDDEN", `The service itself counts "${MANAGEMENT}"; it can be looked at.`)
}
