import type { Limit } from "./limit.ts"
import { isUnlimited, UNLIMITED } from "./limit.ts"

/** How a window stands after something was asked of it, as a caller is told. */
export interface Standing {
  allowed: boolean
  /** −1: there is none. */
  limit: number
  remaining: number
  used: number
  /** When nothing counts any more of what counts now; ISO 8601 UTC. */
  resetAt: string
  /** When as many as were asked for fit in; 0: now, `null`: never, as they are more than the limit. */
  retryAfterMs: number | null
}

/** Of a limit that is none: nothing is counted. */
export const unlimitedStanding = (now: Date): Standing => ({
  allowed: true,
  limit: UNLIMITED,
  remaining: UNLIMITED,
  used: 0,
  resetAt: now.toISOString(),
  retryAfterMs: 0,
})

const MS_PER_SECOND = 1_000
/** A client must not come back too early: whole seconds are rounded up. */
const secondsOf = (ms: number): number => Math.ceil(ms / MS_PER_SECOND)

/**
 * The fields of draft-ietf-httpapi-ratelimit-headers-10: the policy's name, quota `q` and window `w`; what remains, `r`,
 * and `t`, the seconds until everything is back, or of a refusal until as many fit in: never later than `Retry-After`.
 */
export const rateLimitFields = (
  action: string,
  limit: Limit,
  standing: Standing,
  nowMs: number,
): Record<string, string> => {
  if (isUnlimited(limit)) return {}
  const { allowed, remaining, retryAfterMs, resetAt } = standing
  const untilMs = allowed ? Math.max(0, Date.parse(resetAt) - nowMs) : retryAfterMs
  const until = untilMs === null ? "" : `;t=${secondsOf(untilMs)}`
  return {
    "ratelimit-policy": `"${action}";q=${limit.max};w=${secondsOf(limit.windowMs)}`,
    ratelimit: `"${action}";r=${remaining}${until}`,
    ...(allowed || retryAfterMs === null ? {} : { "retry-after": String(secondsOf(retryAfterMs)) }),
  }
}
