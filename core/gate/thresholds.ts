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
