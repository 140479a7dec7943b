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

test.each(["SIGINT", "SIGKILL"] as const)(
  "our own PostgreSQL, ended by a %s that was not ours, is told of and started again where it was",
  async (signal) => {
    const home = join(directory, `ended-by-${signal}`)
    const told: string[] = []
    const secrets = await keepSecrets(directory)
    const own = { home, database: { kind: "embedded" } } as const
    const database = await startDatabase(own, secrets, (line) => told.push(line))
    process.kill(readPostmaster(join(home, "postgres/data"))!.pid, signal)
    await expect.poll(() => told.at(-1), { timeout: 20_000 }).toBe("PostgreSQL is back")
    expect(told[0]).toMatch(/^PostgreSQL has ended, see .*postgres\.log/)
    expect(await roleAt(database.urls.app)).toMatchObject({ role: "hotswap_app" })
    await database.stop()
    await expect(roleAt(database.urls.app), "it is stopped for good").rejects.toThrow()
  },
)
