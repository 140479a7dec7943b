/** What the gate asks before it lets a step go on, and at what it acts. */
export interface GateThresholds {
  /** The likelihood ratio at which a rollout is rolled back: good ones are with a chance of at most 1 in this. */
  ratioMin: number
  /** From this ratio on it is too suspicious to go on; more reports settle it. */
  suspectRatio: number
  /** Requests wanted of each arm before a step may go on. */
  requestsMin: number
  /** So long after the hold a step still waits for those; then it goes on, unwatched. */
  exposureWaitMaxMs: number
  /** So many of the candidate's instances failing everything end the rollout at once. */
  failingInstancesMin: number
  /** Errors after which an instance without a success counts as failing everything. */
  failingErrorsMin: number
  /** A candidate that this many instances or fewer report on does not go on when one of them fails. */
  fewInstances: number
  /** And is rolled back when nobody has decided so long after the hold. */
  fewRollBackAfterMs: number
  /** The candidate is silent when stable's rate would have it report so many requests meanwhile… */
  silentRequestsMin: number
  /** …for at least so long… */
  silentAfterMs: number
  /** …and is rolled back after so long. */
  silentRollBackAfterMs: number
  /** A candidate never heard of is nothing strange while chance gives it nobody at least so often. */
  nobodyByChance: number
  /** Timed requests wanted of each arm before latency is compared. */
  timedRequestsMin: number
  /** By how much the share of slow requests may exceed stable's, in basis points. */
  slowerMaxBp: number
  /** Standard errors that the excess has to measure, too. */
  slowerDeviations: number
}

/** In force everywhere. */
export const GATE: GateThresholds = {
  ratioMin: 1_000,
  suspectRatio: 50,
  requestsMin: 30,
  exposureWaitMaxMs: 300_000,
  failingInstancesMin: 3,
  failingErrorsMin: 5,
  fewInstances: 2,
  fewRollBackAfterMs: 60_000,
  silentRequestsMin: 30,
  silentAfterMs: 30_000,
  silentRollBackAfterMs: 180_000,
  nobodyByChance: 0.001,
  timedRequestsMin: 100,
  slowerMaxBp: 1_000,
  slowerDeviations: 4,
}

/** Between what a policy may put a threshold, and why not further. */
export interface Bound {
  min: number
  max: number
  kind: "whole" | "any"
  why: string
}

const bound = (min: number, max: number, why: string, kind: Bound["kind"] = "whole"): Bound => ({
  min,
  max,
  kind,
  why,
})

/** A policy makes the gate stricter or more patient; it does not switch it off. */
export const GATE_BOUNDS: { readonly [Name in keyof GateThresholds]: Bound } = {
  ratioMin: bound(
    20,
    1_000_000,
    "below, one good rollout in twenty is rolled back; above, bad ones live on",
    "any",
  ),
  suspectRatio: bound(
    2,
    200,
    "below, every rollout is suspect; above, none is before it is rolled back",
    "any",
  ),
  requestsMin: bound(1, 10_000, "with none, a step goes on that nobody tried"),
  exposureWaitMaxMs: bound(60_000, 86_400_000, "sooner, steps go on unwatched; a day is as long as a hold"),
  failingInstancesMin: bound(1, 20, "beyond, most candidates have not as many instances"),
  failingErrorsMin: bound(1, 100, "beyond, an instance that serves nobody passes for sound too long"),
  fewInstances: bound(1, 10, "with none, small candidates go on although one fails"),
  fewRollBackAfterMs: bound(0, 3_600_000, "beyond an hour, nobody is going to decide"),
  silentRequestsMin: bound(10, 1_000, "below, chance is silent often; above, silence is never noticed"),
  silentAfterMs: bound(10_000, 600_000, "below, reports are still on their way"),
  silentRollBackAfterMs: bound(30_000, 3_600_000, "a candidate that is dead for an hour has done its harm"),
  nobodyByChance: bound(0.000_001, 0.05, "at none, a candidate that nobody ever hears of goes on", "any"),
  timedRequestsMin: bound(20, 10_000, "below, a few slow requests decide"),
  slowerMaxBp: bound(100, 5_000, "below, noise is slow; above, half of all requests may be"),
  slowerDeviations: bound(2, 10, "below, noise is slow; above, only what anyone would see", "any"),
}
