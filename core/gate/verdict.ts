import type { Instant } from "../change/change.ts"

/**
 * healthy: may go on · unwatched: nobody, or too few, report; goes on by time alone and is marked · waiting: for
 * more reports · hold: something is the matter; a person or more reports settle it · unhealthy: to be rolled back.
 */
export type VerdictKind = "healthy" | "unwatched" | "waiting" | "hold" | "unhealthy"

/** What a verdict rests on. */
export interface VerdictNumbers {
  candidateRequests: number
  candidateErrors: number
  stableRequests: number
  stableErrors: number
  /** How many times likelier the errors are if the candidate is worse, and at how many times it is rolled back. */
  likelihoodRatio: number
  rollBackAt: number
}

/** What the gate makes of what clients saw. */
export interface Verdict {
  kind: VerdictKind
  /** One sentence for people. */
  words: string
  numbers: VerdictNumbers
}

/** A verdict as it is kept with the change: on the step it was about, when it counted. */
export interface Judgement extends Verdict {
  step: number
  at: Instant
  /** Who took the rollout on although the gate did not agree. */
  overriddenBy?: string
}

/** Keeps the clock from going on. A person may all the same. */
export const blocks = ({ kind }: Verdict): boolean =>
  kind === "waiting" || kind === "hold" || kind === "unhealthy"

const RATIO_SHOWN_MAX = 1e12

/** A ratio from its logarithm. Three digits are enough for people, and the same wherever they are written. */
export const shownRatio = (log: number): number =>
  Number(Math.min(RATIO_SHOWN_MAX, Math.max(1e-12, Math.exp(Math.min(log, 50)))).toPrecision(3))
