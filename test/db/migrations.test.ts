import { readFile } from "node:fs/promises"
import { generateDrizzleJson, generateMigration } from "drizzle-kit/api"
import postgres from "postgres"
import { afterAll, beforeAll, expect, inject, test } from "vitest"
import { migrate } from "../../db/migrate.ts"
import * as schema from "../../db/schema/index.ts"
import { freshDatabase, type TestDatabase } from "../support/postgres.ts"

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const again = () => {
  const { passwords } = inject("postgres")
  return migrate(database.url("hotswap_owner"), {
    appPassword: passwords.hotswap_app,
    readPassword: passwords.hotswap_read,
    systemPassword: passwords.hotswap_system,
  })
}

test("migrating what is up to date alters nothing, and several at once do not disturb each other", async () => {
  await Promise.all([again(), again(), again()])
  const sql = postgres(database.url("hotswap_owner"), { max: 1 })
  const [row] = await sql`select count(*)::int as applied from hotswap_migrations.__drizzle_migrations`
  await sql.end()
  const journal = JSON.parse(await readFile("db/migrations/meta/_journal.json", "utf8"))
  expect(row?.applied).toBe(journal.entries.length)
})

test("the server notices within half a minute that a client's network is gone", async () => {
  const seconds = async (role: "hotswap_app" | "hotswap_read" | "hotswap_system") => {
    const sql = postgres(database.url(role), { max: 1 })
    const [row] = await sql`select current_setting('tcp_keepalives_idle')::int
      + current_setting('tcp_keepalives_interval')::int * current_setting('tcp_keepalives_count')::int as seconds`
    await sql.end()
    return row?.seconds
  }
  for (const role of ["hotswap_app", "hotswap_read", "hotswap_system"] as const)
    expect(await seconds(role)).toBe(25)
})

test("a role that bypasses row-level security is refused", async () => {
  const admin = postgres(database.url("postgres"), { max: 1 })
  try {
    await admin`alter role hotswap_system bypassrls`
    await expect(again()).rejects.toThrow(/hotswap_system.*bypasses row-level security/)
  } finally {
    await admin`alter role hotswap_system nobypassrls`
    await admin.end()
  }
})

test("the committed migrations make exactly the schema that the code declares", async () => {
  const journal = JSON.parse(await readFile("db/migrations/meta/_journal.json", "utf8"))
  const last = String(journal.entries.at(-1).idx).padStart(4, "0")
  const committed = JSON.parse(await readFile(`db/migrations/meta/${last}_snapshot.json`, "utf8"))
  const declared = generateDrizzleJson(schema, committed.id, ["hotswap"])
  expect(await generateMigration(committed, declared)).toEqual([])
})
