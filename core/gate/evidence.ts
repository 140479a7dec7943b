import type { Instant } from "../change/change.ts"
import type { Arm } from "../release/arms.ts"

/** What one client saw of one arm since its last report. Counts are whole and not negative. */
export interface OutcomeReport {
  /** The revision it read, `{epoch}.{platform}.{tier}.{tenant}`. */
  revision: string
  arm: Arm
  /** Names the client for as long as its `seq` only rises. */
  instance: string
  seq: number
  ok: number
  errors: number
  /** Requests that took at most so many milliseconds and more than the entry before. */
  latency?: readonly (readonly [upToMs: number, count: number])[]
  /** The configuration itself could not be read or was not valid. */
  guard?: "unparsable" | "invalid"
}

/** What was reported of one arm during one step. */
export interface ArmEvidence {
  requests: number
  errors: number
  /** Reports of a configuration that could not be used. */
  guards: number
  lastAt: Instant | null
  /** Timed requests by {@link latencyBucket}. */
  latency: readonly number[]
}

/** Instances that are alike: how many there are, and the requests they saw together. */
export interface InstanceGroup {
  arm: Arm
  /** It reported on both arms, so that what ails it ails both and does not count against one. */
  paired: boolean
  /** It had at least one success on this arm. */
  succeeds: boolean
  /** Errors of each one of them on this arm. */
  errorsEach: number
  instances: number
  requests: number
}

/** All that is known of one step of a rollout: sums, and no more of single instances than has to be. */
export interface Evidence {
  /** When the first report of the step came. */
  since: Instant | null
  arms: Readonly<Record<Arm, ArmEvidence>>
  groups: readonly InstanceGroup[]
  /**
   * Errors of paired instances that would be the candidate's if it were no worse: the sum, over the instances, of
   * their errors times the candidate's share of their requests.
   */
  pairedExpected: number
  /** Stable's reports were made before everyone was switched to the candidate, from then on. See `switch.ts`. */
  stableSince?: Instant | null
}

/** Bounds are powers of √2 from 1 ms to 46 s; the last bucket has none. */
const LATENCY_BUCKETS = 33

export const latencyBucket = (upToMs: number): number =>
  upToMs <= 1 ? 0 : Math.min(LATENCY_BUCKETS - 1, Math.ceil(2 * Math.log2(upToMs) - 1e-9))

/** The upper bound of a bucket in milliseconds; `Infinity` for the last. */
export const bucketBoundMs = (bucket: number): number =>
  bucket === LATENCY_BUCKETS - 1 ? Number.POSITIVE_INFINITY : 2 ** (bucket / 2)

/** One report counts for at most so many requests: more in a second is a mistake, or wants to be heard too much. */
const REPORT_REQUESTS_MAX = 1_000
/** Instances that are listened to in one step; the others would only say the same. */
export const INSTANCES_MAX = 1_000
/** Of those, instances that one token may speak for. */
export const TOKEN_INSTANCES_MAX = 500

/** What a report counts for: the same shares, of no more requests than one report may. */
export const countedOf = ({
  ok,
  errors,
  latency = [],
}: Pick<OutcomeReport, "ok" | "errors" | "latency">): { ok: number; errors: number; latency: number[] } => {
  const scale = Math.min(1, REPORT_REQUESTS_MAX / Math.max(1, ok + errors))
  const timed = latency.reduce((sum, [, count]) => sum + count, 0)
  const latencyScale = Math.min(1, REPORT_REQUESTS_MAX / Math.max(1, timed))
  const buckets = latency.length === 0 ? [] : new Array<number>(LATENCY_BUCKETS).fill(0)
  for (const [upToMs, count] of latency) buckets[latencyBucket(upToMs)]! += Math.round(count * latencyScale)
  const counted = Math.round(errors * scale)
  return {
    ok: Math.min(Math.round(ok * scale), REPORT_REQUESTS_MAX - counted),
    errors: counted,
    latency: buckets,
  }
}

const NOTHING: ArmEvidence = { requests: 0, errors: 0, guards: 0, lastAt: null, latency: [] }
/** Nobody has reported. */
export const NO_EVIDENCE: Evidence = {
  since: null,
  arms: { stable: NOTHING, candidate: NOTHING },
  groups: [],
  pairedExpected: 0,
}
