import { join } from "node:path"
import { epochOf } from "../core/release/revision.ts"
import { migrate } from "../db/migrate.ts"
import { keepRunning } from "./keep-running.ts"
import { type PostgresServer, startPostgres } from "./postgres.ts"
import type { Secrets } from "./secrets.ts"
import { type LocalSettings, StartError } from "./settings.ts"

export interface RunningDatabase {
  /** For people: what it is and where. */
  description: string
  urls: { app: string; read: string; system: string }
  stop(): Promise<void>
}

/**
 * Starts PostgreSQL, or takes the one that the settings name, and brings it up to date. Where our own ends without
 * having been asked to, that is told, and it is started again on the same port and data.
 */
export const startDatabase = async (
  { database, home }: Pick<LocalSettings, "database" | "home">,
  secrets: Secrets,
  tell: (line: string) => void,
): Promise<RunningDatabase> => {
  if (database.kind === "embedded") return startOwn(home, tell)
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

const startOwn = async (home: string, tell: (line: string) => void): Promise<RunningDatabase> => {
  const directory = join(home, "postgres")
  const { first: server, stop } = await keepRunning<PostgresServer>({
    name: "PostgreSQL",
    meaning: `see ${directory}/postgres.log: reads go on from what is cached, writes once it is back`,
    start: (before) => startPostgres({ directory, durability: "full", ...(before && { port: before.port }) }),
    tell,
  })
  try {
    const { passwords } = server
    const rolePasswords = {
      appPassword: passwords.hotswap_app,
      readPassword: passwords.hotswap_read,
      systemPassword: passwords.hotswap_system,
    }
    await migrate(server.url("hotswap_owner"), rolePasswords, { firstEpoch: epochOf(new Date()) })
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

const migrateTold = async (url: string, passwords: Secrets["databasePasswords"]): Promise<void> => {
  try {
    const rolePasswords = {
      appPassword: passwords.app,
      readPassword: passwords.read,
      systemPassword: passwords.system,
    }
    await migrate(url, rolePasswords, { firstEpoch: epochOf(new Date()) })
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
