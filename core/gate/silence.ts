import type { Instant } from "../change/change.ts"
import { msBetween } from "../change/time.ts"
import type { Evidence } from "./evidence.ts"
import type { GateThresholds } from "./thresholds.ts"

export interface Silence {
  forMs: number
  /** Requests that the candidate should have reported meanwhile. */
  missing: number
}

/**
 * Has the candidate gone quiet while stable reports? Only when, at stable's rate and the step's weight, it should have
 * been heard of: few readers may well all be on one arm.
 */
export const silenceOf = (
  { since, arms: { stable, candidate } }: Evidence,
  weightBp: number,
  now: Instant,
  thresholds: GateThresholds,
): Silence | null => {
  if (since === null || stable.lastAt === null) return null
  if (msBetween(stable.lastAt, now) >= thresholds.silentAfterMs) return null
  const elapsedMs = msBetween(since, now)
  const forMs = Math.min(elapsedMs, msBetween(candidate.lastAt ?? since, now))
  if (forMs < thresholds.silentAfterMs) return null
  const missing = Math.floor((stable.requests * weightBp * forMs) / ((10_000 - weightBp) * elapsedMs))
  return missing < thresholds.silentRequestsMin ? null : { forMs, missing }
}
