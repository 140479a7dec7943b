import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type RunningEdge, startEdge } from "../support/edge.ts"
import type { Fault } from "../support/faults.ts"
import { type Lie, STRANGER } from "../support/lying-redis.ts"
import { type CountingTenant, createReader, createTenant, MOVING_BOUND, write } from "./tenant.ts"
import { startWorld, type World } from "./world.ts"

/** How long each fault lasts: past the rest of a breaker, and past the bound of a pointer that moves. */
const FAULT_MS = 12_000
const READ_EVERY_MS = 10
const WRITE_EVERY_MS = 200
const WIRE_FAULTS: readonly Fault[] = ["refused", "silent", "slow", "cut"]
const LIES: readonly Lie[] = ["older", "truncated", "foreign", "forged", "forgetful", "mute"]

let world: World
let kvDirectory: string
/** In the place of Cloudflare: it outlives Hotswap, and its memory is wiped now and then. */
let edge: RunningEdge
const tenants: CountingTenant[] = []

beforeAll(async () => {
  world = await startWorld()
  kvDirectory = await mkdtemp(join(tmpdir(), "hotswap-edge-"))
  edge = await newEdge()
})
afterAll(async () => {
  await edge?.dispose()
  await world.close()
  await rm(kvDirectory, { recursive: true, force: true })
})

const newEdge = (): Promise<RunningEdge> =>
  startEdge({ origin: world.hotswap.originUrl, jwks: world.readerKeys, kvDirectory })

interface Tally {
  asked: number
  served: number
  /** What was wrong with an answer, or why there was none. */
  complaints: Map<string, number>
}

/** Does `step` again and again until it is told to end. */
const keepOn = (everyMs: number, step: () => Promise<void>): (() => Promise<void>) => {
  const ended = new AbortController()
  const running = (async () => {
    while (!ended.signal.aborted) {
      await step()
      await pause(everyMs)
    }
  })()
  return async () => {
    ended.abort()
    await running
  }
}

const keepReading = (tenant: CountingTenant, tally: Tally): (() => Promise<void>) => {
  let read = createReader(tenant)
  return keepOn(READ_EVERY_MS, async () => {
    tally.asked += 1
    try {
      await read(edge.url)
      tally.served += 1
    } catch (error) {
      const complaint = `${phase}: ${String((error as Error).message).slice(0, 200)}`
      tally.complaints.set(complaint, (tally.complaints.get(complaint) ?? 0) + 1)
      read = createReader(tenant)
    }
  })
}

const writes = { taken: 0, refused: 0 }
const keepWriting = (tenant: CountingTenant): (() => Promise<void>) =>
  keepOn(WRITE_EVERY_MS, async () => {
    const { status } = await write(world.hotswap, tenant).catch(() => ({ status: 0 }))
    // Hotswap away, or its database: said so, and never anything else.
    expect([200, 503, 0]).toContain(status)
    writes[status === 200 ? "taken" : "refused"] += 1
  })

let phase = "calm"
const during = async (name: string, begin: () => unknown, end: () => unknown): Promise<void> => {
  phase = name
  await begin()
  await pause(FAULT_MS)
  await end()
  phase = `after ${name}`
  for (const tenant of tenants) {
    const read = createReader(tenant)
    const newest = tenant.acknowledged
    await expect
      .poll(async () => (await read(edge.url)).value, { ...MOVING_BOUND, message: phase })
      .toBeGreaterThanOrEqual(newest)
  }
}

/** The edge that is read goes only once the next one is there, as isolates do. */
const wipeEdge = async (): Promise<void> => {
  const before = edge
  edge = await newEdge()
  await before.dispose()
}

test("throughout every fault each read is answered, with a value that was written, and never a step back", async () => {
  await createTenant(world.hotswap, STRANGER, 1_000_000)
  for (const name of ["read-often", "read-as-well"]) tenants.push(await createTenant(world.hotswap, name))
  const tally: Tally = { asked: 0, served: 0, complaints: new Map() }
  const stops = tenants.flatMap((tenant) => [keepReading(tenant, tally), keepWriting(tenant)])

  await during(
    "calm",
    () => {},
    () => {},
  )
  for (const fault of WIRE_FAULTS) {
    await during(
      `Redis ${fault}`,
      () => world.redisWire.set(fault),
      () => world.redisWire.set("none"),
    )
    await during(
      `PostgreSQL ${fault}`,
      () => world.databaseWire.set(fault),
      () => world.databaseWire.set("none"),
    )
  }
  await during(
    "PostgreSQL killed",
    () => world.killPostgres(),
    () => world.restartPostgres(),
  )
  for (const lie of LIES)
    await during(
      `Redis ${lie}`,
      () => tenants.map(({ tenantId }) => world.redis.lie(tenantId, lie)),
      () => tenants.map(({ tenantId }) => world.redis.lie(tenantId, null)),
    )
  await during(
    "Hotswap killed",
    () => world.kill(),
    () => world.restart(),
  )
  await during(
    "killed before it published",
    async () => {
      await world.redisWire.set("silent")
      await expect.poll(() => world.redisWire.arrived(), MOVING_BOUND).toBeGreaterThan(0)
      await world.kill()
      await world.redisWire.set("none")
    },
    () => world.restart(),
  )
  await during(
    "everything killed, the edge's memory too",
    async () => {
      await world.kill()
      await world.killPostgres()
      await wipeEdge()
    },
    async () => {
      await world.restartPostgres()
      await world.restart()
    },
  )

  for (const stop of stops) await stop()
  console.log(
    `served ${tally.served} of ${tally.asked} reads; ${writes.taken} writes taken, ${writes.refused} refused`,
  )
  expect([...tally.complaints]).toEqual([])
  expect(tally.served).toBe(tally.asked)
})
