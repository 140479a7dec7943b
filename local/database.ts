import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { migrate } from "../db/migrate.ts"
import { type PostgresServer, startPostgres } from "./postgres.ts"
import type { Secrets } from "./secrets.ts"
import { type LocalSettings, StartError } from "./settings.ts"

export interface RunningDatabase {
  /** For people: what it is and where. */
  description: string
  urls: { app: string; read: string; system: string }
  stop(): Promise<void>
}

/** Between two attempts to start it again. */
const LONGEST_PAUSE_MS = 10_000

/**
 * Starts PostgreSQL, or takes the one that the settings name, and brings it up to date. Where our own ends without
 * having been asked to, `onLost` is told, and it is started again.
 */
export const startDatabase = async (
  { database, home }: Pick<LocalSettings, "database" | "home">,
  secrets: Secrets,
  onLost: (line: string) => void,
): Promise<RunningDatabase> => {
  if (database.kind === "embedded") return startOwn(home, onLost)
  const nothing = async (): Promise<void> => undefined
  if (database.kind === "roles")
    return { description: `the one at ${hostOf(database.app)}`, urls: database, stop: nothing }
  const passwords = secrets.databasePasswords
  await migrateTold(database.url, passwords)
  const as = (role: string, password: string): string => {
    const url = new URL(database.url)
    url.username = role
    url.password = password
    return url.href
  }
  return {
    description: `the one at ${hostOf(database.url)}, migrated`,
    urls: {
      app: as("hotswap_app", passwords.app),
      read: as("hotswap_read", passwords.read),
      system: as("hotswap_system", passwords.system),
    },
    stop: nothing,
  }
}

const startOwn = async (home: string, onLost: (line: string) => void): Promise<RunningDatabase> => {
  const directory = join(home, "postgres")
  const { server, stop } = await keepPostgres(directory, onLost)
  try {
    const { passwords } = server
    await migrate(server.url("hotswap_owner"), {
      appPassword: passwords.hotswap_app,
      readPassword: passwords.hotswap_read,
      systemPassword: passwords.hotswap_system,
    })
    return {
      description: `18, its own, on port ${server.port}`,
      urls: {
        app: server.url("hotswap_app"),
        read: server.url("hotswap_read"),
        system: server.url("hotswap_system"),
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Starts it, and starts it again on the same port whenever it ends without having been asked to. */
const keepPostgres = async (
  directory: string,
  onLost: (line: string) => void,
): Promise<{ server: PostgresServer; stop: () => Promise<void> }> => {
  const first = await startPostgres({ directory, durability: "full" })
  const stopping = new AbortController()
  const keep = async (): Promise<void> => {
    let server: PostgresServer | null = first
    for (;;) {
      await Promise.race([server.exited, aborted(stopping.signal)])
      await server.stop()
      if (stopping.signal.aborted) return
      onLost(`PostgreSQL has ended, see ${directory}/postgres.log: reads go on from what is cached`)
      server = await startAgain(directory, first.port, stopping.signal, onLost)
      if (server === null) return
      onLost("PostgreSQL is back")
    }
  }
  const kept = keep()
  return {
    server: first,
    stop: async () => {
      stopping.abort()
      await kept
    },
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener("abort", () => resolve(), { once: true })
  })

/** As often as it takes; `null` when it is not wanted any more. */
const startAgain = async (
  directory: string,
  port: number,
  stopping: AbortSignal,
  onLost: (line: string) => void,
): Promise<PostgresServer | null> => {
  for (let pauseMs = 100; !stopping.aborted; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await startPostgres({ directory, durability: "full", port })
    } catch (error) {
      onLost(`PostgreSQL does not start again: ${error instanceof Error ? error.message : String(error)}`)
      await pause(pauseMs, undefined, { signal: stopping }).catch(() => undefined)
    }
  }
  return null
}

const migrateTold = async (url: string, passwords: Secrets["databasePasswords"]): Promise<void> => {
  try {
    await migrate(url, {
      appPassword: passwords.app,
      readPassword: passwords.read,
      systemPassword: passwords.system,
    })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new StartError(
      `DATABASE_URL: the database at ${hostOf(url)} could not be migrated (${reason}): it has to be reachable, as a role that may create roles and owns the database`,
      { cause: error },
    )
  }
}

/** Without the password. */
const hostOf = (url: string): string => {
  const { host, pathname } = new URL(url)
  return host + pathname
}
