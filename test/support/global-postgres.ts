import { execFile } from "node:child_process"
import { chmod, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import postgres from "postgres"
import type { TestProject } from "vitest/node"
import { epochOf } from "../../core/release/revision.ts"
import { migrate } from "../../db/migrate.ts"
import type { Passwords } from "../../local/postgres/secrets.ts"
import { type PostgresServer, startPostgres } from "../../local/postgres.ts"

declare module "vitest" {
  interface ProvidedContext {
    postgres: { port: number; passwords: Passwords }
  }
}

/** The migrated database every test's own one is a copy of. */
export const TEMPLATE = "hotswap_template"

/** A temporary directory for all that the run's tests make, and one PostgreSQL with its migrated template. */
export default async function startForRun(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (project.vitest.projects.every(({ name }) => name === "arrows")) return
  const stops = [await takeTemporary()]
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0).reverse()) await each()
  }
  try {
    const options = {
      directory: join(tmpdir(), "postgres"),
      durability: "test",
      maxConnections: 300,
    } as const
    await makeCluster(options)
    const server = await startPostgres(options)
    stops.push(server.stop)
    await makeTemplate(server)
    project.provide("postgres", { port: server.port, passwords: server.passwords })
    return stop
  } catch (error) {
    await stop()
    throw error
  }
}

/** The cluster that is there after Hotswap was started once, copied for the homes of those that start (test/support/hotswap.ts). */
const makeCluster = async (options: Parameters<typeof startPostgres>[0]): Promise<void> => {
  const server = await startPostgres(options)
  try {
    await migrate(server.url("hotswap_owner"), rolePasswords(server.passwords), {
      firstEpoch: epochOf(new Date()),
    })
  } finally {
    await server.stop()
  }
  const copy = join(tmpdir(), "cluster")
  await promisify(execFile)("cp", ["-Rp", options.directory, copy])
  process.env.HOTSWAP_TEST_CLUSTER = copy
}

const rolePasswords = (passwords: Passwords) => ({
  appPassword: passwords.hotswap_app,
  readPassword: passwords.hotswap_read,
  systemPassword: passwords.hotswap_system,
})

const makeTemplate = async ({ url, passwords }: PostgresServer): Promise<void> => {
  const admin = postgres(url("hotswap_owner", "postgres"), { max: 1, fetch_types: false, onnotice: () => {} })
  await admin.unsafe(`create database ${TEMPLATE}`)
  await admin.end()
  await migrate(url("hotswap_owner", TEMPLATE), rolePasswords(passwords))
}

/** What libraries leave in the system's directory for temporary files goes with it. */
const takeTemporary = async (): Promise<() => Promise<void>> => {
  const before = process.env.TMPDIR
  const directory = await mkdtemp(join(tmpdir(), "hotswap-run-"))
  // Some tests run PostgreSQL as a user without rights: it may pass, and see nothing.
  await chmod(directory, 0o711)
  process.env.TMPDIR = directory
  // Hundreds of processes load the same code: one compiles it for all of them.
  process.env.NODE_COMPILE_CACHE = join(directory, "compiled")
  return async () => {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
    await rm(directory, { recursive: true, force: true, maxRetries: 5 })
  }
}
