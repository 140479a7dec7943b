import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { sql } from "drizzle-orm"
import { afterAll, beforeAll, expect, test } from "vitest"
import { createReader, createTenant, write } from "../faults/tenant.ts"
import { type RunningHotswap, removeHome, startHotswap } from "../support/hotswap.ts"
import { addressOf, superuserOf, wholeSince } from "./own-postgres.ts"

const PATIENTLY = { timeout: 30_000, interval: 20 }
const WRITERS = 4

let hotswap: RunningHotswap
beforeAll(async () => {
  hotswap = await startHotswap()
})
afterAll(async () => {
  await hotswap.stop()
  await removeHome(hotswap.home)
})

const timesTold = (line: string): number => hotswap.output().split(line).length - 1
const postgres = () => addressOf(hotswap.home)
const workerd = async (): Promise<number> =>
  Number(await readFile(join(hotswap.home, "edge/workerd.pid"), "utf8").catch(() => "0"))

/** One of the processes that serve a connection: PostgreSQL then ends them all, and recovers. */
const backend = async (): Promise<number> => {
  const database = await superuserOf(hotswap.home)
  const query = sql`select pid from pg_stat_activity where usename = 'hotswap_app' limit 1`
  const [row] = await database.transaction(({ db }) => db.execute<{ pid: number }>(query))
  await database.close()
  return row!.pid
}

test.each([
  ["PostgreSQL", async () => (await postgres()).pid, 1],
  ["the process of one of its connections", backend, 0],
] as const)(
  "kill -9 of %s: each read is answered, writes are refused with 503 at the worst, and work again by themselves",
  async (what, victim, restarts) => {
    const before = await postgres()
    const told = timesTold("PostgreSQL is back")
    const prefix = restarts === 1 ? "whole" : "part"
    const tenants = await Promise.all(
      Array.from({ length: WRITERS }, (_, i) => createTenant(hotswap, `${prefix}-${i}`)),
    )
    const readers = tenants.map((tenant) => {
      const [edge, origin] = [createReader(tenant), createReader(tenant)]
      return async () => {
        await edge(hotswap.url)
        await origin(hotswap.originUrl)
      }
    })
    for (const read of readers) await read()
    let over = false
    const reading = Promise.all(
      readers.map(async (read) => {
        while (!over) await read()
      }),
    )
    const since = await wholeSince(hotswap.home)
    process.kill(await victim(), "SIGKILL")
    let isBack = false
    const recovering = expect
      .poll(() => wholeSince(hotswap.home), PATIENTLY)
      .toSatisfy((now: string | null) => now !== null && now !== since)
      .then(() => {
        isBack = true
      })
    const refusals = new Set<string>()
    const writing = tenants.map((tenant) =>
      expect
        .poll(async () => {
          const { status, code } = await write(hotswap, tenant)
          if (status !== 200) refusals.add(`${status} ${code}`)
          return isBack && status === 200
        }, PATIENTLY)
        .toBe(true),
    )
    await Promise.all([
      reading,
      recovering,
      Promise.all(writing).finally(() => {
        over = true
      }),
    ])
    expect(
      [...refusals].filter((refusal) => refusal !== "503 DATABASE_UNAVAILABLE"),
      what,
    ).toEqual([])
    const after = await postgres()
    expect(after.port).toBe(before.port)
    expect(after.pid === before.pid).toBe(restarts === 0)
    await expect.poll(() => timesTold("PostgreSQL is back") - told, PATIENTLY).toBe(restarts)
    expect(timesTold("PostgreSQL has ended, see ")).toBe(1)
  },
  60_000,
)

test("kill -9 of workerd, and again: it is back on the same port, and what is read is right", async () => {
  const tenant = await createTenant(hotswap, "at-the-edge")
  const read = createReader(tenant)
  await read(hotswap.url)
  for (let times = 1; times <= 2; times++) {
    const before = await workerd()
    process.kill(before, "SIGKILL")
    await expect
      .poll(async () => (await fetch(`${hotswap.url}/health`).catch(() => null))?.status, PATIENTLY)
      .toBe(200)
    await expect.poll(workerd, PATIENTLY).not.toBe(before)
    await expect.poll(() => timesTold("the edge's Worker is back"), PATIENTLY).toBe(times)
    expect((await read(hotswap.url)).value).toBe(1)
  }
  expect(timesTold("the edge's Worker has ended")).toBe(2)
}, 60_000)
