import { Socket } from "node:net"
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js"
import postgres from "postgres"
import { expireAfter } from "./deadline.ts"
import { currentSpan, reasonOf } from "./span.ts"
import { DatabaseUnavailable, explain, leavesSession } from "./unavailable.ts"

/** A query of Drizzle's that has been `.prepare(name)`d: planned once for each connection, then one round trip. */
export interface Prepared<Values, Rows> {
  readonly build: (db: PostgresJsDatabase) => { execute(values?: Values): Promise<Rows> }
}

export interface ConnectionOptions {
  url: string
  applicationName: string
  /** The server cancels a statement, and a transaction that idles, at this. */
  deadlineMs: number
  /** What queries are built with. Handed in, as not every function can afford Drizzle's size. */
  builder: (sql: postgres.Sql) => PostgresJsDatabase
}

/**
 * One connection, used by one caller at a time and thrown away at the first doubt.
 *
 * `postgres` 3.4.9 cannot be trusted after its socket has gone: it writes into `null` from a timer, which nothing can
 * catch and which ends the process, and it keeps half-written messages that make the next query wait for ever
 * (its issues 1066, 1154 and 1208). So each driver here has exactly one socket, made by us; once that is closed
 * nothing is asked of the driver any more, and it is never let to connect a second time.
 */
export interface Connection {
  readonly db: PostgresJsDatabase
  readonly isUsable: () => boolean
  /** Runs a prepared query; it is built the first time this connection sees it. */
  run: <Values extends Record<string, unknown>, Rows>(
    query: Prepared<Values, Rows>,
    values: Values,
  ) => Promise<Rows>
  /** Runs a statement without parameters or results, such as `begin`; returns what the server says it did. */
  command: (statement: string) => Promise<string>
  /** The work, unless the connection is lost or the time is up first: then it is thrown away. Throws {@link DatabaseUnavailable}. */
  guard: <T>(work: () => Promise<T>, limitMs: number) => Promise<T>
  /** Closes it at once. */
  destroy: () => void
}

const LOST = "the connection to the database was lost"

export const openConnection = (
  options: ConnectionOptions,
  { onOpened, onClosed }: { onOpened: () => void; onClosed: () => void },
): Connection => {
  let usable = true
  // Who waits now, and nobody who has: one promise for all of them would keep every result until the connection ends.
  const waiting = new Set<(error: DatabaseUnavailable) => void>()
  const lose = (cause?: unknown) => {
    if (!usable) return
    usable = false
    for (const fail of waiting) fail(new DatabaseUnavailable(LOST, cause))
    onClosed()
  }
  const socket = socketOnce(options.url, lose)
  const sql = postgres(options.url, {
    ...driverOptions(options),
    socket: socket.open,
    onclose: () => lose(),
    // The server tells its parameters once it has let us in.
    onparameter: onOpened,
  } as never)
  const destroy = () => {
    lose()
    // Rejects what waits inside the driver; the socket it would wait for is taken away below.
    sql.end({ timeout: 0 }).catch(() => {})
    socket.destroy()
  }
  const db = options.builder(refuseWhen(sql, () => !usable))
  const built = new Map<
    Prepared<never, unknown>,
    { execute(values?: Record<string, unknown>): Promise<unknown> }
  >()

  return {
    db,
    isUsable: () => usable,
    run: async (query, values) => {
      const ready = built.get(query as never) ?? query.build(db)
      built.set(query as never, ready)
      return (await ready.execute(values)) as never
    },
    command: async (statement) => {
      if (!usable) throw new DatabaseUnavailable(LOST)
      return (await sql.unsafe(statement)).command
    },
    guard: (work, limitMs) => {
      if (!usable) return Promise.reject(new DatabaseUnavailable(LOST))
      return guard(work, limitMs, waiting, destroy)
    },
    destroy,
  }
}

const guard = async <T>(
  work: () => Promise<T>,
  limitMs: number,
  waiting: Set<(error: DatabaseUnavailable) => void>,
  destroy: () => void,
): Promise<T> => {
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {})
  waiting.add(failed.reject)
  const cancel = expireAfter(limitMs, () => {
    failed.reject(new DatabaseUnavailable(`the database did not answer within ${Math.round(limitMs)} ms`))
    destroy()
  })
  const running = work()
  running.catch(() => {})
  try {
    return await Promise.race([running, failed.promise])
  } catch (error) {
    const explained = explain(error)
    if (!leavesSession(explained)) destroy()
    throw explained
  } finally {
    cancel()
    waiting.delete(failed.reject)
  }
}

/** The driver asks for its socket once; for the second one, a reconnection, it is refused. */
const socketOnce = (url: string, onClosed: (cause: unknown) => void) => {
  const { hostname, port } = new URL(url)
  const host = hostname.replace(/^\[(.*)\]$/, "$1")
  const socket = new Socket()
  // Where the kernel refuses at once, that is told before the driver listens: nobody else would, and the process end.
  let failure: unknown
  socket.on("error", (error) => {
    failure = error
  })
  socket.once("close", () => onClosed(failure))
  let opened = false
  return {
    open: () => {
      if (opened) throw new DatabaseUnavailable(LOST)
      opened = true
      socket.setNoDelay(true)
      socket.setKeepAlive(true, 30_000)
      // The driver looks here for the name to verify a TLS certificate against.
      Object.assign(socket, { host })
      return socket.connect(Number(port || 5432), host)
    },
    destroy: () => socket.destroy(),
  }
}

const driverOptions = ({ applicationName, deadlineMs }: ConnectionOptions) => ({
  max: 1,
  // Both would end the connection in the middle of a transaction that waits for us.
  idle_timeout: 0,
  max_lifetime: null,
  connect_timeout: Math.ceil(deadlineMs / 1000),
  fetch_types: false,
  onnotice: () => {},
  connection: {
    application_name: applicationName,
    TimeZone: "UTC",
    statement_timeout: deadlineMs,
    idle_in_transaction_session_timeout: deadlineMs,
  },
})

/** Nothing reaches the driver through Drizzle once the socket is gone. */
const refuseWhen = (sql: postgres.Sql, isGone: () => boolean): postgres.Sql =>
  new Proxy(sql, {
    get: (target, name) => {
      if (name !== "unsafe") return Reflect.get(target, name)
      if (isGone()) throw new DatabaseUnavailable(LOST)
      return currentSpan() === undefined ? target.unsafe : unsafeInSpans(target)
    },
  })

/** `sql.unsafe`, with a span for each statement, of which its parameters are no part. */
const unsafeInSpans = (sql: postgres.Sql): postgres.Sql["unsafe"] =>
  ((statement: string, ...rest: []) => {
    const asked = sql.unsafe(statement, ...rest)
    const span = currentSpan()?.asks({ of: "postgresql", statement })
    const ended = (error?: unknown) => {
      if (error !== undefined) span?.fail(reasonOf(error))
      span?.end()
    }
    // Not by its own `then`, which begins it: what else is sent in this turn would come after it.
    Promise.prototype.then.call(asked, () => ended(), ended)
    return asked
  }) as postgres.Sql["unsafe"]
