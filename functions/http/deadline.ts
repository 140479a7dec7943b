import { Refusal } from "../../core/errors.ts"
import { expireAfter, leftMs, within } from "../../db/deadline.ts"

/** From a request's arrival to its answer, in milliseconds: what is promised, less the way there and back and what a busy machine takes. */
export const LIMITS_MS = {
  /** Promised: 1 second. */
  read: 750,
  /** Promised: 3 seconds. */
  write: 2_600,
  /** What looks through a tenant's whole history, or waits for somebody else's server. */
  long: 25_000,
} as const

/** The database is given up on this much sooner, so that something can still be said, or served from memory. */
const SPARE_MS = 100

const tooLate = () =>
  new Refusal(
    "DEADLINE_EXCEEDED",
    "The request was not done in time; whether it will have taken effect is not known.",
  )

/**
 * The answer, or DEADLINE_EXCEEDED. All that the work asks of the database counts together; what it leaves running
 * finds no database any more.
 */
export const answeredWithin = <T>(limitMs: number, work: () => Promise<T>): Promise<T> =>
  within(limitMs - SPARE_MS, () => inTime(work()))

/** Starts the request's time, for a door that answers most requests at once and waits with {@link inTime} for the rest. */
export const startTime = <T>(limitMs: number, work: () => T): T => within(limitMs - SPARE_MS, work)

/** What is waited for, or DEADLINE_EXCEEDED when the time of the request is up. */
export const inTime = async <T>(waited: Promise<T>): Promise<T> => {
  const late = Promise.withResolvers<never>()
  const limitMs = Math.max(0, leftMs()) + SPARE_MS
  if (limitMs === Number.POSITIVE_INFINITY) return await waited
  const cancel = expireAfter(limitMs, () => late.reject(tooLate()))
  try {
    return await Promise.race([waited, late.promise])
  } finally {
    cancel()
  }
}
