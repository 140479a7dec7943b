import { bucketBoundMs, type Evidence } from "./evidence.ts"
import type { GateThresholds } from "./thresholds.ts"

export interface Slowness {
  /** Only a tenth of stable's requests take longer than this. */
  slowMs: number
  /** Shares of requests that take longer, in basis points. */
  stableBp: number
  candidateBp: number
}

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0)

/** The first bucket up to which nine tenths of the requests lie. */
const usualBucket = (counts: readonly number[]): number => {
  const wanted = 0.9 * total(counts)
  let seen = 0
  return counts.findIndex((count) => {
    seen += count
    return seen >= wanted
  })
}

/**
 * Is the candidate slower? Compares the shares of requests beyond stable's 90th percentile: one-sided, by the
 * two-proportion z statistic, and only where the difference matters as well. Shares of a fixed cut do not care how long
 * the slowest took, and one odd request is one request.
 */
export const slownessOf = (
  { arms: { stable, candidate } }: Evidence,
  thresholds: GateThresholds,
): Slowness | null => {
  const [ofStable, ofCandidate] = [total(stable.latency), total(candidate.latency)]
  if (Math.min(ofStable, ofCandidate) < thresholds.timedRequestsMin) return null
  const bucket = usualBucket(stable.latency)
  const slowStable = total(stable.latency.slice(bucket + 1))
  const slowCandidate = total(candidate.latency.slice(bucket + 1))
  const excess = slowCandidate / ofCandidate - slowStable / ofStable
  const share = (slowStable + slowCandidate) / (ofStable + ofCandidate)
  const deviation = Math.sqrt(share * (1 - share) * (1 / ofStable + 1 / ofCandidate))
  if (excess * 10_000 < thresholds.slowerMaxBp || excess < thresholds.slowerDeviations * deviation)
    return null
  return {
    slowMs: Math.round(bucketBoundMs(bucket)),
    stableBp: Math.round((10_000 * slowStable) / ofStable),
    candidateBp: Math.round((10_000 * slowCandidate) / ofCandidate),
  }
}
