import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { sql } from "drizzle-orm"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { DatabaseUnavailable, openDatabase } from "../../db/client.ts"
import { withTenant } from "../../db/tenant.ts"
import { textQuery } from "../../db/text-query.ts"
import { isUniqueViolation } from "../../db/unavailable.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import { startWire } from "../support/wire.ts"
import { tenantId } from "./fixtures.ts"
import { killInTransactions } from "./kill.ts"

let database: OpenTestDatabase
beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database.close())

const oneRow = textQuery<{ one: number }>("select 1 as one", [])

const openAt = (url: string, deadlineMs: number, max = 1) =>
  openDatabase({ url, applicationName: "client", max, deadlineMs })

describe("deadlines", () => {
  test("a statement that takes too long is cancelled by the server, and the connection stays of use", async () => {
    const client = openAt(database.url("hotswap_app"), 200)
    const pid = () =>
      client.transaction(({ db }) => db.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`))
    const [before] = await pid()
    await expect(client.transaction(({ db }) => db.execute(sql`select pg_sleep(60)`))).rejects.toThrow(
      DatabaseUnavailable,
    )
    expect((await pid())[0]).toEqual(before)
    await client.close()
  })

  test("a server that has gone silent is given up on, and the next query gets a new connection", async () => {
    const wire = await startWire(database.url("hotswap_app"))
    const client = openAt(wire.url, 200)
    const one = () => client.transaction(({ db }) => db.execute(sql`select 1 as one`))
    await one()
    wire.freeze()
    await expect(one()).rejects.toThrow(DatabaseUnavailable)
    wire.thaw()
    expect([...(await one())]).toEqual([{ one: 1 }])
    await client.close()
    await wire.close()
  })

  test("waiting for a free connection counts", async () => {
    const client = openAt(database.url("hotswap_app"), 300)
    const work = () => client.transaction(({ db }) => db.execute(sql`select pg_sleep(0.2)`))
    const results = await Promise.allSettled(Array.from({ length: 10 }, work))
    const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []))
    expect(results[0]?.status).toBe("fulfilled")
    expect(failures.length).toBeGreaterThan(5)
    for (const failure of failures) expect(failure).toBeInstanceOf(DatabaseUnavailable)
    expect(await client.transaction(async () => "again")).toBe("again")
    await client.close()
  })

  test("of two that wait for each other one is told to come again, and the other is served", async () => {
    const client = openAt(database.url("hotswap_app"), 10_000, 2)
    const both = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const work = (own: 0 | 1) =>
      client.transaction(async ({ db }) => {
        await db.execute(sql`select pg_advisory_xact_lock(${own})`)
        both[own]!.resolve()
        await both[1 - own]!.promise
        await db.execute(sql`select pg_advisory_xact_lock(${1 - own})`)
      })
    const results = await Promise.allSettled([work(0), work(1)])
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"])
    for (const result of results)
      if (result.status === "rejected") expect(result.reason).toBeInstanceOf(DatabaseUnavailable)
    await client.close()
  })

  test("a database that is not there is unavailable", async () => {
    const client = openAt("postgres://nobody:x@127.0.0.1:1/none", 2_000)
    await expect(client.transaction(async () => 1)).rejects.toThrow(DatabaseUnavailable)
    await client.close()
  })

  test("a network that cannot be reached at all is no more than that: the process lives", async () => {
    const uncaught: unknown[] = []
    const note = (error: unknown) => void uncaught.push(error)
    process.on("uncaughtException", note)
    try {
      // The kernel refuses these addresses before the connection begins.
      for (const host of ["255.255.255.255", "240.0.0.1"]) {
        const client = openAt(`postgres://nobody:x@${host}:5432/none`, 2_000)
        await expect(client.transaction(async () => 1)).rejects.toThrow(DatabaseUnavailable)
        await client.close()
      }
      expect(uncaught).toEqual([])
    } finally {
      process.off("uncaughtException", note)
    }
  })

  test("an address of IPv6 is an address", async () => {
    const client = openAt("postgres://nobody:x@[::1]:1/none", 2_000)
    const error: unknown = await client.transaction(async () => 1).catch((thrown: unknown) => thrown)
    expect((error as Error).cause).toMatchObject({ code: expect.not.stringContaining("ENOTFOUND") })
    await client.close()
  })

  test("an answer that arrived while the process was busy is not late", async () => {
    const client = openAt(database.url("hotswap_app"), 300)
    await client.run(oneRow, {})
    const answered = client.run(oneRow, {})
    // The question leaves within two turns; its answer comes while the next one lasts too long.
    for (let turn = 0; turn < 2; turn++) await new Promise((next) => setImmediate(next))
    for (const until = performance.now() + 700; performance.now() < until; );
    expect([...(await answered)]).toEqual([{ one: 1 }])
    await client.close()
  })

  test("a closed client refuses", async () => {
    const client = openAt(database.url("hotswap_app"), 1_000)
    await client.close()
    await expect(client.transaction(async () => 1)).rejects.toThrow(DatabaseUnavailable)
  })
})

describe("transactions", () => {
  test("what throws is rolled back, and the connection is lent on", async () => {
    const client = openAt(database.url("hotswap_app"), 2_000)
    const scope = tenantId("rolled-back")
    const insert = sql`insert into hotswap.tenants (tenant_id, name, tier) values (${scope}, 'x', 'Pro')`
    const failing = withTenant(client, scope, async (tx) => {
      await tx.db.execute(insert)
      throw new Error("changed my mind")
    })
    await expect(failing).rejects.toThrow("changed my mind")
    const rows = await withTenant(client, scope, (tx) => tx.db.execute(sql`select * from hotswap.tenants`))
    expect(rows.length).toBe(0)
    await client.close()
  })

  test("what failed inside is not acknowledged, even where the work went on as if nothing had happened", async () => {
    const client = openAt(database.url("hotswap_app"), 2_000)
    const scope = tenantId("swallowed")
    const insert = sql`insert into hotswap.tenants (tenant_id, name, tier) values (${scope}, 'x', 'Pro')`
    const swallowing = withTenant(client, scope, async (tx) => {
      await tx.db.execute(insert)
      await tx.db.execute(sql`select 1 / 0`).catch(() => {})
      return "done"
    })
    await expect(swallowing).rejects.toThrow("rolled back")
    await client.close()
  })

  test("one that could not begin leaves nothing open behind it", async () => {
    const client = openAt(database.url("hotswap_app"), 2_000)
    const cancelled = client.transaction(
      async () => "never",
      ({ db }) => db.execute(sql`select pg_cancel_backend(pg_backend_pid()), pg_sleep(60)`),
    )
    await expect(cancelled).rejects.toThrow(DatabaseUnavailable)
    expect(await client.transaction(async () => "again")).toBe("again")
    await client.close()
  })

  test("what is left of it when it is over reaches the next one's connection no more", async () => {
    const client = openAt(database.url("hotswap_app"), 2_000)
    const ended = Promise.withResolvers<void>()
    let straggler: Promise<unknown> = Promise.resolve()
    const failing = withTenant(client, tenantId("straggler"), async (tx) => {
      straggler = ended.promise.then(() => tx.db.execute(sql`select 1`)).catch((error: unknown) => error)
      throw new Error("changed my mind")
    })
    await expect(failing).rejects.toThrow("changed my mind")
    await withTenant(client, tenantId("next"), async () => {
      ended.resolve()
      expect(String(await straggler)).toContain("transaction is over")
    })
    await client.close()
  })

  test("an error names no parameter", async () => {
    const scope = tenantId("quiet")
    const insert = sql`insert into hotswap.tenants (tenant_id, name, tier) values (${scope}, ${"hunter2"}, 'Pro')`
    const twice = withTenant(database.app, scope, async (tx) => {
      await tx.db.execute(insert)
      await tx.db.execute(insert)
    })
    const error = await twice.catch((thrown: unknown) => thrown)
    expect(isUniqueViolation(error, "tenants_pkey")).toBe(true)
    expect(String(error) + JSON.stringify(error)).not.toContain("hunter2")
  })

  test("100 at once share 4 connections, first come first served", async () => {
    const client = openAt(database.url("hotswap_app"), 5_000, 4)
    const pids = await Promise.all(
      Array.from({ length: 100 }, () =>
        client.transaction(({ db }) => db.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`)),
      ),
    )
    expect(new Set(pids.map(([row]) => row!.pid)).size).toBe(4)
    await client.close()
  })
})

describe("a server that dies", () => {
  test("killed with -9 inside transactions, it leaves the process alive, every call answered, and the next start clean", async () => {
    const directory = await mkdtemp(join(tmpdir(), "hotswap-kill-"))
    try {
      expect(await killInTransactions(directory, 3)).toEqual({
        kills: 3,
        unanswered: 0,
        lost: 0,
        uncaught: 0,
      })
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })
})
