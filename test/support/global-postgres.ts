import { chmod, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import postgres from "postgres"
import type { TestProject } from "vitest/node"
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
export default async function startForRun(project: TestProject): Promise<() => Promise<void>> {
  const stops = [await takeTemporary()]
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0).reverse()) await each()
  }
  try {
    const server = await startPostgres({
      directory: join(tmpdir(), "postgres"),
      durability: "test",
      maxConnections: 300,
    })
    stops.push(server.stop)
    await makeTemplate(server)
    project.provide("postgres", { port: server.port, passwords: server.passwords })
    return stop
  } catch (error) {
    await stop()
    throw error
  }
}

const makeTemplate = async ({ url, passwords }: PostgresServer): Promise<void> => {
  const admin = postgres(url("hotswap_owner", "postgres"), { max: 1, fetch_types: false, onnotice: () => {} })
  await admin.unsafe(`create database ${TEMPLATE}`)
  await admin.end()
  await migrate(url("hotswap_owner", TEMPLATE), {
    appPassword: passwords.hotswap_app,
    readPassword: passwords.hotswap_read,
    systemPassword: passwords.hotswap_system,
  })
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
