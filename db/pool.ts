import { type Connection, type ConnectionOptions, openConnection } from "./connection.ts"
import { expireAfter } from "./deadline.ts"
import { DatabaseUnavailable } from "./unavailable.ts"

export interface Pool {
  /** Lends a connection to `work` alone. Waiting for one counts against `limitMs`. */
  lend: <T>(work: (connection: Connection) => Promise<T>, limitMs: number) => Promise<T>
  close: () => Promise<void>
}

interface Waiter {
  give: (connection: Connection) => void
  refuse: (error: DatabaseUnavailable) => void
}

/**
 * Letting one in costs both sides some milliseconds of computing, which here stop everything else. After a restart of the
 * server all would be opened at once, and each be ready later than the last of them taken in turns.
 */
const OPENING_MAX = 3

/** At most `max` connections, opened when needed, the one used last lent first, first come first served. */
export const openPool = (options: ConnectionOptions, max: number): Pool => {
  const all = new Set<Connection>()
  const idle: Connection[] = []
  const waiting = new Set<Waiter>()
  const opening = new Set<Connection>()
  let closing = false
  let onEmpty: (() => void) | null = null

  const open = (): Connection => {
    const connection = openConnection(options, {
      onOpened: () => {
        if (opening.delete(connection)) serveNext()
      },
      onClosed: () => {
        all.delete(connection)
        opening.delete(connection)
        const position = idle.indexOf(connection)
        if (position >= 0) idle.splice(position, 1)
        serveNext()
        if (all.size === 0) onEmpty?.()
      },
    })
    all.add(connection)
    opening.add(connection)
    return connection
  }

  const mayOpen = (): boolean => all.size < max && opening.size < OPENING_MAX
  const next = (): Connection | null => idle.pop() ?? (mayOpen() ? open() : null)

  const serveNext = () => {
    const [waiter] = waiting
    const connection = waiter && !closing ? next() : null
    if (!waiter || !connection) return
    waiting.delete(waiter)
    waiter.give(connection)
  }

  const giveBack = (connection: Connection) => {
    if (!connection.isUsable()) return
    if (closing) return connection.destroy()
    idle.push(connection)
    serveNext()
  }

  const borrow = async (limitMs: number): Promise<Connection> => {
    if (closing) throw new DatabaseUnavailable("the database client is closed")
    const ready = waiting.size === 0 ? next() : null
    return ready ?? (await queue(waiting, limitMs))
  }

  return {
    lend: async (work, limitMs) => {
      const start = performance.now()
      const connection = await borrow(limitMs)
      try {
        const leftMs = Math.max(1, limitMs - (performance.now() - start))
        return await connection.guard(() => work(connection), leftMs)
      } finally {
        giveBack(connection)
      }
    },
    close: async () => {
      closing = true
      for (const waiter of waiting) waiter.refuse(new DatabaseUnavailable("the database client is closed"))
      waiting.clear()
      for (const connection of [...idle]) connection.destroy()
      if (all.size > 0)
        await new Promise<void>((resolve) => {
          onEmpty = resolve
        })
    },
  }
}

const queue = (waiting: Set<Waiter>, limitMs: number) =>
  new Promise<Connection>((resolve, reject) => {
    const cancel = expireAfter(limitMs, () => {
      waiting.delete(waiter)
      reject(
        new DatabaseUnavailable(`no connection to the database was free within ${Math.round(limitMs)} ms`),
      )
    })
    const waiter: Waiter = {
      give: (connection) => {
        cancel()
        resolve(connection)
      },
      refuse: (error) => {
        cancel()
        reject(error)
      },
    }
    waiting.add(waiter)
  })
