import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import postgres from "postgres"
import { afterAll, beforeAll, expect, test } from "vitest"
import { startDatabase } from "../../local/database.ts"
import { readPostmaster } from "../../local/postgres/ownership.ts"
import { type PostgresServer, startPostgres } from "../../local/postgres.ts"
import { keepSecrets } from "../../local/secrets.ts"

let directory: string
let server: PostgresServer
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hotswap-database-"))
  server = await startPostgres({ directory: join(directory, "server"), durability: "test" })
})
afterAll(async () => {
  await server.stop()
  await rm(directory, { recursive: true, force: true, maxRetries: 5 })
})

const nobodyLost = (line: string): never => {
  throw new Error(line)
}
const roleAt = async (url: string): Promise<unknown> => {
  const sql = postgres(url, { max: 1 })
  try {
    const [row] = await sql`
      select current_user as role, rolsuper, rolbypassrls from pg_roles where rolname = current_user`
    return row
  } finally {
    await sql.end()
  }
}

test("a database of the user's own is migrated, and used through roles that may less than its owner", async () => {
  const secrets = await keepSecrets(directory)
  const owned = { home: directory, database: { kind: "owned", url: server.url("hotswap_owner") } } as const
  // The second time there is nothing left to do, and it works as well.
  for (let i = 0; i < 2; i++) {
    const { urls, description, stop } = await startDatabase(owned, secrets, nobodyLost)
    for (const [name, url] of Object.entries(urls))
      expect(await roleAt(url)).toEqual({ role: `hotswap_${name}`, rolsuper: false, rolbypassrls: false })
    expect(description).not.toContain(server.passwords.hotswap_owner)
    await stop()
  }
  expect(await roleAt(server.url("hotswap_owner")), "it was not ours to stop").toBeDefined()
})

test("URLs for each role are taken as they are", async () => {
  const urls = { app: "postgres://a@h/d", read: "postgres://b@h/d", system: "postgres://c@h/d" }
  const settings = { home: directory, database: { kind: "roles", ...urls } } as const
  const database = await startDatabase(settings, await keepSecrets(directory), nobodyLost)
  expect(database.urls).toMatchObject(urls)
})

test("when our own PostgreSQL ends by itself, that is told, with where to look", async () => {
  const home = join(directory, "own")
  const lost = Promise.withResolvers<string>()
  const secrets = await keepSecrets(directory)
  const database = await startDatabase({ home, database: { kind: "embedded" } }, secrets, lost.resolve)
  const sql = postgres(database.urls.app, { max: 1, connect_timeout: 5 })
  await sql`select 1`
  await sql.end()
  process.kill(readPostmaster(join(home, "postgres/data"))!.pid, "SIGINT")
  expect(await lost.promise).toMatch(/^PostgreSQL has ended, see .*postgres\.log/)
  await database.stop()
})
