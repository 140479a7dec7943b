import { expect, test } from "vitest"
import type { Figures } from "../../../functions/platform/metric-log.ts"
import { createRead } from "../../../functions/read/read.ts"
import { ACME, acmeWorld, EDGE_SECRET, eventOf, VIEW } from "./world.ts"

/** A read function that tells how old what it served was. */
const telling = async () => {
  const world = acmeWorld()
  const told: { figures: Figures; atMs: number }[] = []
  const metrics = { tell: (figures: Figures, atMs?: number) => void told.push({ figures, atMs: atMs! }) }
  const read = createRead({ ...world.platform, metrics })
  const token = await world.reader()
  return {
    ...world,
    told,
    read: async (path = VIEW, headers: Record<string, string> = {}) => {
      const result = await read(eventOf(path, { token, headers }))
      await world.background.settled()
      return result.statusCode
    },
  }
}

test("a process tells with its first answer how old it was, and then once a minute", async () => {
  const { read, told, clock } = await telling()
  for (let second = 0; second < 61; second++) {
    expect(await read()).toBe(200)
    clock.advance(1_000)
  }
  expect(told.map(({ figures }) => figures.StalePointers)).toEqual([0, 0])
  expect(told[0]!.figures.PointerAge).toBe(0)
  expect(told[1]!.figures.PointerAge).toBeGreaterThan(0)
  expect(told[1]!.figures.PointerAge).toBeLessThan(15)
  expect(told[1]!.atMs - told[0]!.atMs).toBe(60_000)
})

test("what is served while the database is down is told as old as it is, and counted where it is beyond the bound", async () => {
  const { read, told, clock, database, cache } = await telling()
  await read()
  database.down = true
  cache.down = true
  for (let minute = 0; minute < 2; minute++) {
    clock.advance(60_000)
    expect(await read()).toBe(200)
  }
  expect(told.slice(1).map(({ figures }) => figures)).toEqual([
    { PointerAge: 60, StalePointers: 1 },
    { PointerAge: 120, StalePointers: 1 },
  ])
})

test("what the edge is told counts as well", async () => {
  const { read, told } = await telling()
  const path = `/internal/pointer/${ACME}/Staging`
  expect(await read(path, { "hotswap-edge": EDGE_SECRET })).toBe(200)
  expect(told).toHaveLength(1)
})

test("what was seen before a long silence is told as of then, and not as the age of now", async () => {
  const { read, told, clock } = await telling()
  await read()
  clock.advance(7_000)
  await read()
  const thenMs = clock.nowMs()
  clock.advance(3_600_000)
  await read()
  expect(told.slice(1).map(({ atMs }) => atMs)).toEqual([thenMs, clock.nowMs()])
  expect(told[2]!.figures).toEqual({ PointerAge: 0, StalePointers: 0 })
})

test("a tenant that is not there has no age", async () => {
  const { read, told, database } = await telling()
  database.tenants.delete(ACME)
  expect(await read()).toBe(404)
  expect(told).toEqual([])
})
