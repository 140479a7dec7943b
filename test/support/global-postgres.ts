import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import postgres from "postgres"
import type { TestProject } from "vitest/node"
import { migrate } from "../../db/migrate.ts"
import type { Passwords } from "../../local/postgres/secrets.ts"
import { startPostgres } from "../../local/postgres.ts"

declare module "vitest" {
  interface ProvidedContext {
    postgres: { port: number; passwords: Passwords }
  }
}

/** The migrated database every test's own one is a copy of. */
export const TEMPLATE = "hotswap_template"

/** One PostgreSQL for the whole run, with its migrated template. */
export default async function startForRun(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), "hotswap-postgres-"))
  const server = await startPostgres({ directory, durability: "test", maxConnections: 300 })
  const admin = postgres(server.url("hotswap_owner", "postgres"), {
    max: 1,
    fetch_types: false,
    onnotice: () => {},
  })
  await admin.unsafe(`create database ${TEMPLATE}`)
  await admin.end()
  const { passwords } = server
  await migrate(server.url("hotswap_owner", TEMPLATE), {
    appPassword: passwords.hotswap_app,
    readPassword: passwords.hotswap_read,
    systemPassword: passwords.hotswap_system,
  })
  project.provide("postgres", { port: server.port, passwords })
  return async () => {
    await server.stop()
    await rm(directory, { recursive: true, force: true })
  }
}
