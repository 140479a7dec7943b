import type { Instant } from "./change.ts"

/** The instant so many milliseconds later, ISO 8601 UTC. */
export const after = (instant: Instant, ms: number): Instant =>
  new Date(Date.parse(instant) + ms).toISOString()

/** Milliseconds from one instant to the next; never less than none, as two machines' clocks differ. */
export const msBetween = (from: Instant, to: Instant): number =>
  Math.max(0, Date.parse(to) - Date.parse(from))

/** Has `now` come to `instant`? */
export const isReached = (instant: Instant, now: Instant): boolean => Date.parse(instant) <= Date.parse(now)
