import { readFileSync } from "node:fs"
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import postgres from "postgres"
import { afterAll, beforeAll, expect, inject, test } from "vitest"
import { epochOf } from "../../core/release/revision.ts"
import { migrate } from "../../db/migrate.ts"
import { freshDatabase, type TestDatabase } from "../support/postgres.ts"
import { ROOT } from "../support/source-tree.ts"

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const runbook = readFileSync(join(ROOT, "docs/runbooks/database-lost.md"), "utf8")
const [, statements] = /<!-- epoch: [^>]* -->\n```sql\n([\s\S]*?)```/.exec(runbook)!

test("the epoch of a database that came back from the past is raised as its runbook says, each time, and by nobody else", async () => {
  const owner = postgres(database.url("hotswap_owner"), { max: 1, onnotice: () => {} })
  const app = postgres(database.url("hotswap_app"), { max: 1, onnotice: () => {} })
  const epoch = async () => (await app`select epoch from hotswap.epoch`)[0]!.epoch as number
  try {
    const before = await epoch()
    const now = epochOf(new Date())
    await owner.unsafe(statements!)
    const raised = await epoch()
    expect(raised).toBeGreaterThan(before)
    expect(Math.abs(raised - now)).toBeLessThan(60)
    await owner.unsafe(statements!)
    expect(await epoch()).toBeGreaterThan(raised)
    await expect(app`update hotswap.epoch set epoch = 1`).rejects.toThrow(/permission denied/)
    expect((await owner`update hotswap.epoch set epoch = 1 returning epoch`).length).toBe(0)
  } finally {
    await Promise.all([owner.end(), app.end()])
  }
})

test("a new database has the epoch it was to begin with, though the first attempt at it failed, and keeps it", async () => {
  const { passwords } = inject("postgres")
  const roles = {
    appPassword: passwords.hotswap_app,
    readPassword: passwords.hotswap_read,
    systemPassword: passwords.hotswap_system,
  }
  const name = `begun_${process.pid}_${Date.now()}`
  const urlOf = (role: "hotswap_owner" | "hotswap_app") => {
    const url = new URL(database.url(role))
    url.pathname = `/${name}`
    return url.href
  }
  const folder = await mkdtemp(join(tmpdir(), "hotswap-migrations-"))
  const admin = postgres(database.url("postgres"), { max: 1, onnotice: () => {} })
  const begin = (firstEpoch: number, from?: string) =>
    migrate(urlOf("hotswap_owner"), roles, { firstEpoch, ...(from && { folder: from }) })
  const epoch = async () => {
    const app = postgres(urlOf("hotswap_app"), { max: 1 })
    try {
      return (await app`select epoch from hotswap.epoch`)[0]!.epoch
    } finally {
      await app.end()
    }
  }
  try {
    await admin.unsafe(`create database ${name} owner hotswap_owner`)
    await cp(join(ROOT, "db/migrations"), folder, { recursive: true })
    await writeFile(join(folder, "0014_backups_and_jobs.sql"), "select 1 / 0")
    await expect(begin(5_000, folder)).rejects.toThrow()
    await begin(6_000)
    expect(await epoch()).toBe(6_000)
    await begin(7_000)
    expect(await epoch()).toBe(6_000)
  } finally {
    await admin.unsafe(`drop database if exists ${name} with (force)`)
    await admin.end()
    await rm(folder, { recursive: true })
  }
})
