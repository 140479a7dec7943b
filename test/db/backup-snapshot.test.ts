import { sql } from "drizzle-orm"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { ARCHIVED } from "../../core/backup/tables.ts"
import { PLATFORM } from "../../core/ids.ts"
import { openDatabase } from "../../db/client.ts"
import { appendAudit } from "../../db/queries/audit.ts"
import { findScopeState, type Snapshot, withSnapshot } from "../../db/queries/backup-snapshot.ts"
import { commitScope, loadScope } from "../../db/queries/scope.ts"
import { withTenant } from "../../db/tenant.ts"
import { DatabaseUnavailable } from "../../db/unavailable.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import { startWire } from "../support/wire.ts"
import { auditOf, DEVELOPMENT, directCommit, key, makeTenant, PRODUCTION, tenantId } from "./fixtures.ts"

let database: OpenTestDatabase
beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database.close())

const put = async (id: string, name: string, value: string) => {
  const found = await loadScope(database.app, {
    scope: tenantId(id),
    environment: DEVELOPMENT,
    keys: [key(name)],
  })
  const done = await commitScope(database.app, directCommit(found!.state, name, value))
  expect(done.kind).toBe("committed")
}

const rowsOf = async ({ rows }: Snapshot, table: string): Promise<string[]> => {
  const all: string[] = []
  for await (const row of rows(table)) all.push(row)
  return all
}

const allRows = async (id: string): Promise<Record<string, string[]>> =>
  (await withSnapshot(database.app, tenantId(id), async (snapshot) => {
    const tables: Record<string, string[]> = {}
    for (const { name } of ARCHIVED) tables[name] = await rowsOf(snapshot, name)
    return tables
  }))!

const stateOf = async (id: string) => (await findScopeState(database.app, tenantId(id)))!

describe("a snapshot", () => {
  test("shows one instant, whatever is written while it is read", async () => {
    await makeTenant(database.app, "still")
    await put("still", "a", "before")
    const [before, during, entries] = (await withSnapshot(
      database.app,
      tenantId("still"),
      async (snapshot) => {
        const first = await rowsOf(snapshot, "config_versions")
        await put("still", "b", "meanwhile")
        return [first, await rowsOf(snapshot, "config_versions"), await rowsOf(snapshot, "audit_entries")]
      },
    ))!
    expect(during).toEqual(before)
    expect(entries).toHaveLength(2)
    const after = await allRows("still")
    expect(after.config_versions).toHaveLength(2)
    expect(after.audit_entries).toHaveLength(3)
  })

  test("gives rows as the database writes them: in UTC, bytes in hex, without what it makes itself", async () => {
    await makeTenant(database.app, "written")
    const { audit_entries: [first] = [] } = await allRows("written")
    const row = JSON.parse(first!)
    expect(Object.keys(row)).toEqual(["tenant_id", "seq", "at", "body", "prev", "hash"])
    expect(row.hash).toMatch(/^\\x[0-9a-f]{64}$/)
    expect(row.at).toMatch(/\+00:00$/)
  })

  test("gives what was there before first, so that what is added comes after it", async () => {
    await makeTenant(database.app, "grows")
    for (const name of ["m", "z", "a"]) await put("grows", name, name)
    const before = await allRows("grows")
    await put("grows", "b", "b")
    const after = await allRows("grows")
    const growing = ["config_versions", "releases", "pointers", "audit_entries"] as const
    for (const name of growing) expect(after[name]!.slice(0, before[name]!.length)).toEqual(before[name])
  })

  test("reads rows of any size a few at a time", async () => {
    await makeTenant(database.app, "large")
    const sizes = [...Array.from({ length: 200 }, () => 10), 3_000_000, 5, 2_500_000, 20, 20]
    await withTenant(database.app, tenantId("large"), async (tx) => {
      for (const [nth, size] of sizes.entries())
        await tx.db.execute(
          sql`insert into hotswap.chunks values ('large', ${String(nth).padStart(4, "0")}, repeat('x', ${size}))`,
        )
    })
    // The last one is the empty chunk that every scope has.
    const { chunks } = await allRows("large")
    expect(chunks!.map((row) => JSON.parse(row).text.length).slice(0, -1)).toEqual(sizes)
  })

  test("is of one scope, and there is one of the platform", async () => {
    const rows = await withSnapshot(database.app, PLATFORM, (snapshot) => rowsOf(snapshot, "tenants"))
    expect(rows!.map((row) => JSON.parse(row).tenant_id)).toEqual([PLATFORM])
    expect(await withSnapshot(database.app, tenantId("nobody"), async () => true)).toBeNull()
  })

  test("takes longer than one statement may, and writes nothing", async () => {
    const client = openDatabase({
      url: database.url("hotswap_app"),
      applicationName: "long",
      deadlineMs: 300,
    })
    const pause = sql`select pg_sleep(0.2)`
    const long = withTenant(
      client,
      tenantId("still"),
      async (tx) => {
        for (let nth = 0; nth < 5; nth++) await tx.db.execute(pause)
        return "read"
      },
      { isolation: "snapshot", limitMs: 60_000 },
    )
    expect(await long).toBe("read")
    const writing = withTenant(client, tenantId("still"), (tx) => appendAudit(tx, [auditOf("x", "y")]), {
      isolation: "snapshot",
    })
    await expect(writing).rejects.toThrow(/read-only/)
    await client.close()
  })

  test("is given up on when one statement hangs, when nobody goes on, and when all of its time is up", async () => {
    const wire = await startWire(database.url("hotswap_app"))
    const client = openDatabase({ url: wire.url, applicationName: "hung", deadlineMs: 200, max: 1 })
    const scope = tenantId("still")
    const read = (work: () => Promise<unknown> | unknown, limitMs = 60_000) =>
      withTenant(
        client,
        scope,
        async (tx) => {
          await work()
          return await tx.db.execute(sql`select 1`)
        },
        { isolation: "snapshot", limitMs },
      )
    await expect(read(() => wire.freeze())).rejects.toThrow(DatabaseUnavailable)
    wire.thaw()
    await expect(read(() => new Promise(() => {}))).rejects.toThrow(DatabaseUnavailable)
    await expect(read(() => new Promise(() => {}), 50)).rejects.toThrow(/within \d\d ms/)
    expect(await read(() => {})).toHaveLength(1)
    await client.close()
    await wire.close()
  })
})

describe("whether a scope has changed", () => {
  test("is told for every table that is archived", async () => {
    await makeTenant(database.app, "told")
    expect(Object.keys((await stateOf("told")).tables)).toEqual(ARCHIVED.map(({ name }) => name))
  })

  test("shows in its fingerprint, and what backups say of themselves does not count", async () => {
    await makeTenant(database.app, "marked")
    const before = await stateOf("marked")
    const say = (action: string) =>
      withTenant(database.app, tenantId("marked"), (tx) => appendAudit(tx, [auditOf(action, "x")]))
    await say("backup.create")
    await say("job.create")
    expect((await stateOf("marked")).fingerprint).toBe(before.fingerprint)
    await say("audit.read")
    const spoken = await stateOf("marked")
    expect(spoken.fingerprint).not.toBe(before.fingerprint)
    await put("marked", "a", "1")
    const after = await stateOf("marked")
    expect(after.revisions).toEqual({ [DEVELOPMENT]: 2, [PRODUCTION]: 1 })
    const same = ARCHIVED.map(({ name }) => name).filter((name) => after.tables[name] === spoken.tables[name])
    expect(same).toEqual(expect.arrayContaining(["tenants", "data_keys", "channels"]))
    expect(same).not.toEqual(expect.arrayContaining(["chunks"]))
  })
})
