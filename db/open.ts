import type { Connection, ConnectionOptions, Prepared } from "./connection.ts"
import { expireAfter, leftMs } from "./deadline.ts"
import { openPool } from "./pool.ts"
import { DatabaseUnavailable } from "./unavailable.ts"

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

export interface TransactionOptions {
  /** `snapshot`: REPEATABLE READ READ ONLY, all of it sees one instant. Otherwise READ COMMITTED. */
  isolation?: "snapshot"
  /**
   * For work that takes longer than one deadline: all of it together. Each of its statements, and each pause between two, then
   * has the deadline that the whole would have had.
   */
  limitMs?: number
}

/** A pool of connections as one role. Everything asked of it ends within the deadline, or throws {@link DatabaseUnavailable}. */
export interface Database extends Runner {
  /** `work` in one transaction on a connection of its own, rolled back when it throws. */
  transaction: <T>(
    work: (connection: Connection) => Promise<T>,
    first?: (connection: Connection) => Promise<unknown>,
    options?: TransactionOptions,
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
  const stepMs = deadlineMs + GRACE_MS
  const lend = async <T>(work: (connection: Connection) => Promise<T>, wholeMs = stepMs): Promise<T> => {
    const limitMs = Math.min(wholeMs, leftMs())
    if (limitMs <= 0) throw new DatabaseUnavailable("the time for asking the database is up")
    return await pool.lend(work, limitMs)
  }
  return {
    run: (query, values) => lend((connection) => connection.run(query, values)),
    transaction: (work, first, { isolation, limitMs } = {}) => {
      const begin = BEGIN[isolation ?? "usual"]
      return limitMs === undefined
        ? lend((connection) => inTransaction(connection, { begin, work, first }))
        : lend((connection) => stepByStep(connection, { begin, work, first }, stepMs), limitMs)
    },
    close: pool.close,
  }
}

const BEGIN = { usual: "begin", snapshot: "begin isolation level repeatable read read only" }

interface Transaction<T> {
  begin: string
  work: (connection: Connection) => Promise<T>
  first?: ((connection: Connection) => Promise<unknown>) | undefined
}

/** Gives the connection up when nothing was asked of it for as long as one statement may take: it hangs, or nobody goes on. */
const stepByStep = async <T>(
  connection: Connection,
  transaction: Transaction<T>,
  stepMs: number,
): Promise<T> => {
  const late = Promise.withResolvers<never>()
  late.promise.catch(() => {})
  const giveUp = () => {
    late.reject(
      new DatabaseUnavailable(`the transaction did not come further within ${Math.round(stepMs)} ms`),
    )
    connection.destroy()
  }
  let cancel = expireAfter(stepMs, giveUp)
  const onAsked = () => {
    cancel()
    cancel = expireAfter(stepMs, giveUp)
  }
  try {
    return await Promise.race([inTransaction(connection, transaction, onAsked), late.promise])
  } finally {
    cancel()
  }
}

const inTransaction = async <T>(
  connection: Connection,
  { begin, work, first }: Transaction<T>,
  onAsked?: () => void,
): Promise<T> => {
  try {
    // Sent together: the driver pipelines what is asked of it in one turn.
    await Promise.all([connection.command(begin), first?.(connection)])
    const result = await lendOut(connection, work, onAsked)
    onAsked?.()
    // After an error that somebody swallowed, the server takes `commit` for `rollback` and calls it no error.
    const ended = await connection.command("commit")
    if (ended !== "COMMIT") throw new Error("a statement of the transaction failed, so it was rolled back")
    return result
  } catch (error) {
    await rollBack(connection)
    throw error
  }
}

const rollBack = async (connection: Connection): Promise<void> => {
  if (!connection.isUsable()) return
  try {
    await connection.command("rollback")
  } catch {
    connection.destroy()
  }
}

/** Nothing that the work left running reaches the connection after it: by then it may be another tenant's. */
const lendOut = async <T>(
  connection: Connection,
  work: (connection: Connection) => Promise<T>,
  onAsked?: () => void,
): Promise<T> => {
  let isOver = false
  const check = () => {
    if (isOver) throw new Error("the transaction is over")
    onAsked?.()
  }
  const db = new Proxy(connection.db, {
    get: (target, name) => {
      check()
      return Reflect.get(target, name)
    },
  })
  const lent: Connection = {
    ...connection,
    db,
    run: async (query, values) => {
      check()
      return await connection.run(query, values)
    },
  }
  try {
    return await work(lent)
  } finally {
    isOver = true
  }
}
