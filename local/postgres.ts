import { closeSync, openSync, readFileSync, statSync, truncateSync } from "node:fs"
import { chown, mkdir } from "node:fs/promises"
import { createServer } from "node:net"
import { join, resolve } from "node:path"
import postgres from "postgres"
import { findPrograms } from "./postgres/binaries.ts"
import { ensureCluster } from "./postgres/cluster.ts"
import { endOrphan, readPostmaster, takeDirectory } from "./postgres/ownership.ts"
import { isAlive, waitUntil } from "./postgres/processes.ts"
import { type RunAs, runAs } from "./postgres/run-as.ts"
import { type DatabaseRole, keepPasswords, type Passwords } from "./postgres/secrets.ts"
import { startWatched, type Watched } from "./postgres/watched.ts"

export interface PostgresOptions {
  /** Holds the data, the passwords and the log; made when it is not there. */
  directory: string
  /** `full` survives a power cut, as in production; `test` trades that for speed. */
  durability: "full" | "test"
  /** On 127.0.0.1; a free one when not given. */
  port?: number
  maxConnections?: number
  /** Chosen by who we are when not given. */
  as?: RunAs
}

/** A running PostgreSQL of our own. */
export interface PostgresServer {
  port: number
  pid: number
  passwords: Passwords
  /** For `postgres://` clients; `database` is `hotswap` when not given. */
  url: (role: DatabaseRole, database?: string) => string
  /** Resolves when the server has ended, whoever ended it. */
  exited: Promise<void>
  /** Ends it cleanly: running statements are cancelled, everything is written; what takes too long is left to the next start's recovery. */
  stop: () => Promise<void>
}

const START_LIMIT_MS = 60_000
const STOP_LIMIT_MS = 2_500
/**
 * Between choosing a port and listening, somebody may take it; and after a kill -9 the last processes of the earlier
 * server may still hold its shared memory for a moment.
 */
const PASSING = /Address already in use|shared memory block/i
const LOG_LIMIT_BYTES = 10 * 1024 * 1024

/**
 * Starts PostgreSQL 18 from npm on 127.0.0.1, on the data of `directory`, with a role `hotswap_owner` and its
 * database `hotswap`. It ends when this process does, however that ends. Throws one actionable line.
 */
export const startPostgres = async (options: PostgresOptions): Promise<PostgresServer> => {
  const directory = resolve(options.directory)
  const durable = options.durability === "full"
  const [programs, as] = [await findPrograms(), options.as ?? runAs()]
  await mkdir(directory, { recursive: true, mode: 0o700 })
  if (as.uid !== null) await chown(directory, as.uid, as.uid)
  const hold = takeDirectory(directory)
  try {
    const passwords = await keepPasswords(directory)
    const data = await ensureCluster(directory, programs, as, passwords.postgres, durable)
    await endOrphan(data)
    const started = await startOnFreePort(programs.postgres, { ...options, directory }, data, as)
    const server = describeServer(started, passwords, hold.giveBack)
    await ensureOwner(server)
    return server
  } catch (error) {
    hold.giveBack()
    throw error
  }
}

const describeServer = (
  { watched, port }: { watched: Watched; port: number },
  passwords: Passwords,
  giveBack: () => void,
): PostgresServer => ({
  port,
  pid: watched.pid,
  passwords,
  url: (role, database = "hotswap") => `postgres://${role}:${passwords[role]}@127.0.0.1:${port}/${database}`,
  exited: watched.exited,
  stop: async () => {
    if (!watched.hasExited() && isAlive(watched.pid)) process.kill(watched.pid, "SIGINT")
    if (!(await waitUntil(watched.hasExited, STOP_LIMIT_MS))) watched.release()
    await watched.exited
    watched.release()
    giveBack()
  },
})

const startOnFreePort = async (program: string, options: PostgresOptions, data: string, as: RunAs) => {
  const log = openLog(options.directory)
  try {
    for (let attempt = 1; ; attempt++) {
      const port = options.port ?? (await freePort())
      const watched = await startWatched([program, "-D", data, ...settings(options, port)], {
        as,
        log,
        env: { PATH: process.env.PATH, LC_ALL: "C", TZ: "UTC" },
        cwd: data,
      })
      const isReady = () => {
        const postmaster = readPostmaster(data)
        return watched.hasExited() || (postmaster?.pid === watched.pid && postmaster.ready)
      }
      const inTime = await waitUntil(isReady, START_LIMIT_MS)
      if (inTime && !watched.hasExited()) return { watched, port }
      watched.release()
      await watched.exited
      const words = lastWords(options.directory)
      if (attempt >= 10 || !PASSING.test(words))
        throw new Error(`PostgreSQL did not start; its last words: ${words}`)
      await waitUntil(() => false, attempt * 100)
    }
  } finally {
    closeSync(log)
  }
}

const settings = (options: PostgresOptions, port: number): string[] => {
  const durable = options.durability === "full"
  const values: Record<string, string | number> = {
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: "",
    max_connections: options.maxConnections ?? 100,
    password_encryption: "scram-sha-256",
    timezone: "UTC",
    log_timezone: "UTC",
    shared_buffers: "128MB",
    wal_level: "minimal",
    max_wal_senders: 0,
    fsync: durable ? "on" : "off",
    synchronous_commit: durable ? "on" : "off",
    full_page_writes: durable ? "on" : "off",
    log_checkpoints: "off",
    // After a kill -9 everything is brought to disk first: file by file that takes seconds, at once it does not.
    ...(process.platform === "linux" && { recovery_init_sync_method: "syncfs" }),
  }
  return Object.entries(values).flatMap(([name, value]) => ["-c", `${name}=${value}`])
}

const openLog = (directory: string): number => {
  const path = join(directory, "postgres.log")
  const log = openSync(path, "a", 0o600)
  if (statSync(path).size > LOG_LIMIT_BYTES) truncateSync(path)
  return log
}

const lastWords = (directory: string): string =>
  readFileSync(join(directory, "postgres.log"), "utf8").trim().split("\n").slice(-5).join(" / ")

const freePort = () =>
  new Promise<number>((resolve, reject) => {
    const probe = createServer()
    probe.once("error", reject)
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number }
      probe.close(() => resolve(port))
    })
  })

/** The owner may make the other roles and its own databases, and nothing else: it is no superuser. */
const ensureOwner = async (server: PostgresServer) => {
  const sql = postgres(server.url("postgres", "postgres"), { max: 1, fetch_types: false, onnotice: () => {} })
  try {
    const [found] = await sql`
      select exists(select from pg_roles where rolname = 'hotswap_owner') as owner,
             exists(select from pg_database where datname = 'hotswap') as database`
    // Passwords are made by keepPasswords from base64url only, so quoting them is safe; DDL takes no parameters.
    if (!found?.owner)
      await sql.unsafe(
        `create role hotswap_owner login createrole createdb password '${server.passwords.hotswap_owner}'`,
      )
    if (!found?.database) await sql.unsafe("create database hotswap owner hotswap_owner")
  } finally {
    await sql.end({ timeout: 1 })
  }
}
