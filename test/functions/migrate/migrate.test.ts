import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import postgres from "postgres"
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest"
import { bringUpToDate } from "../../../functions/migrate/migrate.ts"
import { systemClock } from "../../../functions/platform/clock.ts"
import type { DatabaseRole } from "../../../local/postgres/secrets.ts"
import { type PostgresServer, startPostgres } from "../../../local/postgres.ts"

// On a server of its own: roles belong to a whole server, and here they are made and altered.

const SQL = join(import.meta.dirname, "../../../db/migrations")
const LIMIT_MS = 60_000

let root: string
let server: PostgresServer
let database: string
let count = 0
const open = new Set<postgres.Sql>()

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "hotswap-migrate-"))
  server = await startPostgres({ directory: join(root, "postgres"), durability: "test" })
})
beforeEach(async () => {
  database = `stage_${++count}`
  await sqlAs("hotswap_owner", "postgres").unsafe(`create database ${database}`)
})
afterEach(async () => {
  await Promise.all([...open].map((sql) => sql.end({ timeout: 1 })))
  open.clear()
})
afterAll(async () => {
  await server?.stop()
  await rm(root, { recursive: true, force: true })
})

const sqlAs = (role: DatabaseRole, name = database): postgres.Sql => {
  const sql = postgres(server.url(role, name), { max: 1, onnotice: () => {} })
  open.add(sql)
  return sql
}

const variables = (): Record<string, string> => ({
  DATABASE_OWNER_URL: server.url("hotswap_owner", database),
  DATABASE_URL: server.url("hotswap_app", database),
  DATABASE_READ_URL: server.url("hotswap_read", database),
  DATABASE_SYSTEM_URL: server.url("hotswap_system", database),
})

const warnings: string[] = []
const log = { info: () => {}, warn: (message: string) => void warnings.push(message), error: () => {} }

const run = (more: Partial<Parameters<typeof bringUpToDate>[1]> = {}): Promise<number> =>
  bringUpToDate(
    { clock: systemClock, log },
    { variables: variables(), untilMs: systemClock.nowMs() + LIMIT_MS, ...more },
  )

const journalOf = async (folder: string): Promise<{ entries: { tag: string; when: number }[] }> =>
  JSON.parse(await readFile(join(folder, "meta/_journal.json"), "utf8"))

/** The migrations there are, and one more. */
const withOneMore = async (sql: string): Promise<string> => {
  const folder = await mkdtemp(join(root, "sql-"))
  await cp(SQL, folder, { recursive: true })
  const journal = await journalOf(folder)
  const [idx, when] = [journal.entries.length, journal.entries.at(-1)!.when + 1]
  const one = { idx, version: "7", when, tag: "one_more", breakpoints: true }
  const altered = { ...journal, entries: [...journal.entries, one] }
  await writeFile(join(folder, "one_more.sql"), sql)
  await writeFile(join(folder, "meta/_journal.json"), JSON.stringify(altered))
  return folder
}

const columnsOfTenants = async (): Promise<string[]> => {
  const rows = await sqlAs("hotswap_owner")`
    select column_name as name from information_schema.columns where table_schema = 'hotswap' and table_name = 'tenants'`
  return rows.map(({ name }) => name)
}

test("an empty database is made one that every role can use, and whose revisions are newer than any lost one's", async () => {
  const { entries } = await journalOf(SQL)
  expect(await run()).toBe(entries.length)
  for (const role of ["hotswap_app", "hotswap_read", "hotswap_system"] as const) {
    const [row] = await sqlAs(role)`select epoch from hotswap.epoch`
    expect(row?.epoch, role).toBeGreaterThan(1_000)
  }
  expect(await run()).toBe(0)
})

test("of several deployments at once one migrates, and all succeed", async () => {
  const { entries } = await journalOf(SQL)
  const applied = await Promise.all([run(), run(), run()])
  expect(applied.toSorted((one, other) => one - other)).toEqual([0, 0, entries.length])
})

test("what was deployed before takes a database that is ahead of it for up to date", async () => {
  const newer = await withOneMore("alter table hotswap.tenants add column later text")
  await run()
  expect(await run({ folder: newer })).toBe(1)
  expect(await run()).toBe(0)
  expect(await columnsOfTenants()).toContain("later")
})

test("of a migration that fails nothing is left, nor of those that came before it in the same deployment", async () => {
  const broken = await withOneMore(
    "alter table hotswap.tenants add column later text;\n--> statement-breakpoint\nselect 1 / 0",
  )
  await expect(run({ folder: broken })).rejects.toThrow()
  expect(await columnsOfTenants()).toEqual([])
  await run()
  await expect(run({ folder: broken })).rejects.toThrow()
  expect(await columnsOfTenants()).not.toContain("later")
})

test("a migration makes way for whoever waits behind it for a table, and comes through once the table is free", async () => {
  await run()
  const folder = await withOneMore("alter table hotswap.tenants add column later text")
  const reserved = await sqlAs("hotswap_read").reserve()
  await reserved`begin`
  await reserved`select 1 from hotswap.tenants`
  warnings.length = 0
  const migrating = run({ folder, lockWaitMs: 50, pauseMs: 20 })
  const deadline = Date.now() + LIMIT_MS
  const other = sqlAs("hotswap_read")
  while (warnings.length < 2 && Date.now() < deadline) await other`select 1 from hotswap.tenants`
  expect(warnings.length).toBeGreaterThanOrEqual(2)
  await reserved`commit`
  reserved.release()
  expect(await migrating).toBe(1)
})

test("a migration that finds a table taken until its time is up gives up, and leaves nothing", async () => {
  await run()
  const folder = await withOneMore("alter table hotswap.tenants add column later text")
  const reserved = await sqlAs("hotswap_read").reserve()
  await reserved`begin`
  await reserved`select 1 from hotswap.tenants`
  const untilMs = systemClock.nowMs() + 400
  await expect(run({ folder, lockWaitMs: 50, pauseMs: 20, untilMs })).rejects.toThrow()
  await reserved`commit`
  reserved.release()
  expect(await columnsOfTenants()).not.toContain("later")
})

test("a deployment whose functions could not use the database is stopped, and told which URL is wrong and not what it is", async () => {
  const right = variables()
  const swapped = { ...right, DATABASE_READ_URL: right.DATABASE_SYSTEM_URL! }
  // The password is set to the one that the URL names, so what is left to be wrong is the role and the place.
  await expect(run({ variables: swapped })).rejects.toThrow(
    "the URL of hotswap_read leads to the role hotswap_system",
  )
  const elsewhere = { ...right, DATABASE_URL: server.url("hotswap_app", "postgres") }
  await expect(run({ variables: elsewhere })).rejects.toThrow(
    /^the URL of hotswap_app leads to a database without Hotswap's tables[^/@]*$/,
  )
  const away = { ...right, DATABASE_SYSTEM_URL: "postgres://hotswap_system:a-password@127.0.0.1:1/hotswap" }
  const told = await run({ variables: away }).catch((error: Error) => error.message)
  expect(told).toMatch(/^the URL of hotswap_system does not work: /)
  expect(told).not.toContain("a-password")
  expect(await run({ variables: right })).toBe(0)
})

test("a role whose URL leads to the owner is refused", async () => {
  const right = variables()
  const asOwner = { ...right, DATABASE_URL: right.DATABASE_OWNER_URL! }
  await expect(run({ variables: asOwner })).rejects.toThrow(
    "the URL of hotswap_app leads to the role hotswap_owner",
  )
})

test("a role's password that was altered is the one that works after the next run", async () => {
  await run()
  const right = variables()
  const altered = new URL(right.DATABASE_READ_URL!)
  altered.password = "another-one-made-by-chance"
  expect(await run({ variables: { ...right, DATABASE_READ_URL: altered.href } })).toBe(0)
  const [row] = await postgres(altered.href, { max: 1, idle_timeout: 1 })`select current_user as role`
  expect(row?.role).toBe("hotswap_read")
  expect(await run()).toBe(0)
})
