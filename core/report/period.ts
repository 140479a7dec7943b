import type { Instant } from "../change/change.ts"

/** What a report is about: from the first and before the second. */
export interface Period {
  from: Instant
  to: Instant
}

/** Is it within the period? Times of one instant may be written with more or fewer digits. */
export const isWithin = ({ from, to }: Period, at: Instant): boolean =>
  compareInstants(from, at) <= 0 && compareInstants(at, to) < 0

/** Below, at or above nought, to the microsecond, which no number of milliseconds since 1970 tells apart. */
export const compareInstants = (one: Instant, other: Instant): number => {
  const millis = Date.parse(one) - Date.parse(other)
  return Math.trunc(millis) === 0 ? microsOf(one) - microsOf(other) : millis
}

/** The fourth to sixth digit of the second's fraction. */
const microsOf = (at: Instant): number => Number((/\.(\d{1,6})/.exec(at)?.[1] ?? "").padEnd(6, "0").slice(3))
