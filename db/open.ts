import type { Connection, ConnectionOptions, Prepared } from "./connection.ts"
import { openPool } from "./pool.ts"

export interface DatabaseOptions {
  url: string
  /** Shown in `pg_stat_activity`. */
  applicationName: string
  /** Connections at the most. */
  max?: number
  /** Until a query has to be answered, waiting for a connection included. */
  deadlineMs?: number
}

/** Where queries run: a {@link Database}, or a transaction of a tenant's. */
export interface Runner {
  run: <Values extends Record<string, unknown>, Rows>(
    query: Prepared<Values, Rows>,
    values: Values,
  ) => Promise<Rows>
}

/** A pool of connections as one role. Everything asked of it ends within the deadline, or throws {@link DatabaseUnavailable}. */
export interface Database extends Runner {
  /** `work` in one READ COMMITTED transaction on a connection of its own, rolled back when it throws. */
  transaction: <T>(
    work: (connection: Connection) => Promise<T>,
    first?: (connection: Connection) => Promise<unknown>,
  ) => Promise<T>
  close: () => Promise<void>
}

/** Past the server's own limit by this much, so that it is the server who gives up first and says so. */
const GRACE_MS = 250
const DEFAULT_DEADLINE_MS = 5_000

/** Opens nothing yet: the first query does. `builder` is what queries are built with. */
export const openWith = (
  { url, applicationName, max = 10, deadlineMs = DEFAULT_DEADLINE_MS }: DatabaseOptions,
  builder: ConnectionOptions["builder"],
): Database => {
  const pool = openPool({ url, applicationName, deadlineMs, builder }, max)
  const limitMs = deadlineMs + GRACE_MS
  return {
    run: (query, values) => pool.lend((connection) => connection.run(query, values), limitMs),
    transaction: (work, first) => pool.lend((connection) => inTransaction(connection, work, first), limitMs),
    close: pool.close,
  }
}

const inTransaction = async <T>(
  connection: Connection,
  work: (connection: Connection) => Promise<T>,
  first?: (connection: Connection) => Promise<unknown>,
): Promise<T> => {
  // Sent together: the driver pipelines what is asked of it in one turn.
  await Promise.all([connection.command("begin"), first?.(connection)])
  try {
    const result = await work(connection)
    await connection.command("commit")
    return result
  } catch (error) {
    if (connection.isUsable()) await connection.command("rollback")
    throw error
  }
}
