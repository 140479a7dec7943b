import postgres from "postgres"
import { Refusal } from "../core/errors.ts"

/** The database could not be reached, or did not answer in time. What was asked of it may or may not have happened. */
export class DatabaseUnavailable extends Refusal {
  constructor(detail: string, cause?: unknown) {
    super("DATABASE_UNAVAILABLE", detail, { cause })
    this.name = "DatabaseUnavailable"
  }
}

// PostgreSQL's appendix A: connection exceptions, insufficient resources, operator intervention (shutdown, start-up,
// cancelled by statement_timeout), the time limits on locks and idle transactions, and who gave way in a deadlock.
const OUT_OF_ORDER = /^(08...|53...|57P0.|57014|55P03|25P0[34]|40P01)$/

/** What the driver and Drizzle threw, as one of: our own error, a PostgresError, `DatabaseUnavailable`. */
export const explain = (error: unknown): unknown => {
  const cause = isDrizzles(error) ? error.cause : error
  if (cause instanceof DatabaseUnavailable) return cause
  if (cause instanceof postgres.PostgresError)
    return OUT_OF_ORDER.test(cause.code) ? new DatabaseUnavailable(cause.message, cause) : cause
  return isConnectionError(cause)
    ? new DatabaseUnavailable("the connection to the database failed", cause)
    : cause
}

/**
 * Is the session that this came out of as good as before? So it is after an error that the server named and survived;
 * out of resources or out of step with the protocol, it is in doubt.
 */
export const leavesSession = (explained: unknown): boolean => {
  const cause = explained instanceof DatabaseUnavailable ? explained.cause : explained
  if (!(cause instanceof postgres.PostgresError)) return !(explained instanceof DatabaseUnavailable)
  return cause.severity === "ERROR" && !/^(08|53)/.test(cause.code)
}

/** Drizzle's wrapper repeats the parameters in its message, and they hold what no log may. Told by its shape: readers run without Drizzle. */
const isDrizzles = (error: unknown): error is Error =>
  error instanceof Error && "query" in error && "params" in error && error.cause !== undefined

const isConnectionError = (error: unknown): boolean => {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === "string" && /^(CONNECTION_|CONNECT_|E[A-Z]+$)/.test(code)
}

/** Did a unique constraint refuse? Optionally, that one? */
export const isUniqueViolation = (error: unknown, constraint?: string): boolean => {
  const cause = explain(error)
  if (!(cause instanceof postgres.PostgresError) || cause.code !== "23505") return false
  return constraint === undefined || cause.constraint_name === constraint
}
