import type { Action, Principal } from "../../core/access.ts"
import { type Environment, isProduction } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { isTenant, type TenantId } from "../../core/ids.ts"
import { limitsInForce } from "../../core/limits/in-force.ts"
import { isUnlimited, type Limit } from "../../core/limits/limit.ts"
import { rateLimitFields } from "../../core/limits/standing.ts"
import { MANAGEMENT } from "../../core/limits/tiers.ts"
import { unhurried } from "../../db/deadline.ts"
import type { Background } from "./background.ts"
import { CacheUnavailable } from "./breaker.ts"
import type { Clock } from "./clock.ts"
import type { GrantsReader } from "./grants.ts"
import type { Limits, WindowStanding } from "./limits.ts"
import type { Log } from "./log.ts"
import { createLru } from "./lru.ts"

/** How often a process counts what it let pass, and learns what others did. */
export const TOLD_EVERY_MS = 1_000
/** Sooner, once what it has not counted yet comes to this part of the limit. */
const TOLD_AT_PART = 100
const REMEMBERED_MAX = 20_000

/** What one process knows of one tenant's requests. */
interface Known {
  /** Let pass, and not counted yet. */
  pending: number
  telling: boolean
  toldAtMs: number
  /** `pending` of so many is told at once. */
  share: number
  /** Nothing passes before then. */
  closed: { untilMs: number; limit: Limit; standing: WindowStanding } | null
}

/**
 * Keeps a tenant from managing more often than its limit `management` says. Nobody waits for it: what a process lets pass
 * is counted behind the requests, so each may let through about a hundredth more; without Redis everything passes.
 */
export interface ManagementGuard {
  /**
   * Throws Refusal RATE_LIMITED. Whoever is above tenants, or speaks for many, is not counted; nor is what stops
   * something or takes it back, which has to be possible always, or what applications ask for requests of their own.
   */
  admit(principal: Principal, action: Action): void
}

const UNCOUNTED: ReadonlySet<Action> = new Set([
  ...(["change.control", "change.cancel", "change.break_glass", "change.signal", "token.revoke"] as const),
  ...(["limit.consume", "limit.read", "feature.read", "view.read"] as const),
])

const tenantOf = ({ roles, tenants }: Principal): TenantId | null => {
  const [tenantId, ...others] = tenants === "*" ? [] : tenants
  const isOne = tenantId !== undefined && others.length === 0 && isTenant(tenantId)
  return isOne && !roles.includes("platform_admin") ? tenantId : null
}

const refusal = ({ untilMs, limit, standing }: NonNullable<Known["closed"]>, nowMs: number): Refusal => {
  const { nowMs: _, ...shown } = standing
  const left = { ...shown, allowed: false, remaining: 0, retryAfterMs: untilMs - nowMs }
  return new Refusal("RATE_LIMITED", `A tenant manages at most ${limit.max} times in ${limit.windowMs} ms.`, {
    extra: { action: MANAGEMENT, ...left, windowMs: limit.windowMs },
    headers: rateLimitFields(MANAGEMENT, limit, left, nowMs),
  })
}

export const createManagementGuard = (deps: {
  clock: Clock
  log: Log
  background: Background
  limits: Limits
  grants: GrantsReader
  environments: readonly Environment[]
}): ManagementGuard => {
  const { clock, limits } = deps
  const known = createLru<TenantId, Known>(REMEMBERED_MAX)
  const environment = deps.environments.find((one) => isProduction(one, deps.environments))!

  const knownOf = (tenantId: TenantId): Known => {
    const kept = known.get(tenantId)
    if (kept !== undefined) return kept
    const fresh = { pending: 0, telling: false, toldAtMs: Number.NEGATIVE_INFINITY, share: 1, closed: null }
    known.set(tenantId, fresh)
    return fresh
  }

  /** Counts so many, or as many of them as fit in, and says whether another one would. */
  const count = async (tenantId: TenantId, limit: Limit, many: number): Promise<WindowStanding> => {
    const what = { tenantId, environment, action: MANAGEMENT }
    const fitting = Math.min(many, limit.max)
    const taken = fitting > 0 ? await limits.take(what, limit, fitting) : null
    if (taken?.allowed && taken.remaining > 0) return taken
    if (taken && taken.remaining > 0) await limits.take(what, limit, taken.remaining)
    return await limits.look(what, limit, 1)
  }

  const tell = async (tenantId: TenantId, one: Known): Promise<void> => {
    const many = one.pending
    one.pending = 0
    const grants = await deps.grants.read(tenantId, environment)
    const limit = grants && limitsInForce(grants).get(MANAGEMENT)?.limit
    if (!limit || isUnlimited(limit)) {
      one.share = Number.POSITIVE_INFINITY
      one.closed = null
      return
    }
    one.share = Math.max(1, Math.floor(limit.max / TOLD_AT_PART))
    const standing = await count(tenantId, limit, many)
    const waitMs = standing.allowed ? 0 : (standing.retryAfterMs ?? limit.windowMs)
    one.closed = waitMs > 0 ? { untilMs: clock.nowMs() + waitMs, limit, standing } : null
  }

  const tellQuietly = async (tenantId: TenantId, one: Known): Promise<void> => {
    one.telling = true
    one.toldAtMs = clock.nowMs()
    try {
      await tell(tenantId, one)
    } catch (error) {
      // The breaker has said so already. Whatever it is, nobody is kept out for it.
      if (!(error instanceof CacheUnavailable))
        deps.log.warn("requests were not counted", { tenantId, error })
      one.closed = null
    } finally {
      one.telling = false
    }
  }

  return {
    admit(principal, action) {
      const tenantId = UNCOUNTED.has(action) ? null : tenantOf(principal)
      if (tenantId === null) return
      const one = knownOf(tenantId)
      const nowMs = clock.nowMs()
      const closed = one.closed !== null && nowMs < one.closed.untilMs ? one.closed : null
      if (closed === null) one.pending += 1
      // Also of who is kept out: the limit may be another one by now.
      const isDue = nowMs - one.toldAtMs >= TOLD_EVERY_MS || one.pending >= one.share
      if (isDue && !one.telling) deps.background.waitUntil(unhurried(() => tellQuietly(tenantId, one)))
      if (closed !== null) throw refusal(closed, nowMs)
    },
  }
}
