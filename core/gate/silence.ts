import type { Instant } from "../change/change.ts"
import { msBetween } from "../change/time.ts"
import type { Evidence } from "./evidence.ts"
import type { GateThresholds } from "./thresholds.ts"

export interface Silence {
  forMs: number
  /** Requests that the candidate should have reported meanwhile. */
  missing: number
}

interface Step {
  weightBp: number
  enteredAt: Instant
}

/**
 * Has the candidate gone quiet while stable reports? Only when, at stable's rate and the step's weight, it should have
 * been heard of: few readers may well all be on one arm. Where everyone was switched, at stable's rate before that.
 */
export const silenceOf = (
  evidence: Evidence,
  step: Step,
  now: Instant,
  thresholds: GateThresholds,
): Silence | null => {
  const silence =
    evidence.stableSince === undefined
      ? besideStable(evidence, step, now, thresholds)
      : sinceSwitch(evidence, step, now)
  return silence === null ||
    silence.forMs < thresholds.silentAfterMs ||
    silence.missing < thresholds.silentRequestsMin
    ? null
    : silence
}

const besideStable = (
  { since, arms: { stable, candidate } }: Evidence,
  { weightBp }: Step,
  now: Instant,
  thresholds: GateThresholds,
): Silence | null => {
  if (since === null || stable.lastAt === null) return null
  if (msBetween(stable.lastAt, now) >= thresholds.silentAfterMs) return null
  const elapsedMs = msBetween(since, now)
  const forMs = Math.min(elapsedMs, msBetween(candidate.lastAt ?? since, now))
  const missing = Math.floor((stable.requests * weightBp * forMs) / ((10_000 - weightBp) * elapsedMs))
  return { forMs, missing }
}

const sinceSwitch = (
  { stableSince, arms: { stable, candidate } }: Evidence,
  { enteredAt }: Step,
  now: Instant,
): Silence | null => {
  if (!stableSince || stable.lastAt === null) return null
  const forMs = msBetween(candidate.lastAt ?? enteredAt, now)
  const reportedMs = Math.max(1_000, msBetween(stableSince, stable.lastAt))
  return { forMs, missing: Math.floor((stable.requests * forMs) / reportedMs) }
}
