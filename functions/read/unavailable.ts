import { Refusal } from "../../core/errors.ts"
import type { Log } from "../platform/log.ts"

/** What a reader is told when PostgreSQL had to be asked and did not answer. */
export const unavailable = (error: unknown, log: Log): Refusal => {
  if (error instanceof Refusal) return error
  log.error("PostgreSQL did not answer", { error })
  return new Refusal("DATABASE_UNAVAILABLE", "The database did not answer in time and nothing is cached.", {
    cause: error,
  })
}
