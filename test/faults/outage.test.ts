import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type RunningEdge, startEdge } from "../support/edge.ts"
import { createReader, createTenant, ENVIRONMENT, expectAcknowledged, MOVING_BOUND, write } from "./tenant.ts"
import { startWorld, type World } from "./world.ts"

let world: World
let kvDirectory: string
let edge: RunningEdge
beforeAll(async () => {
  world = await startWorld()
  kvDirectory = await mkdtemp(join(tmpdir(), "hotswap-edge-"))
}, 90_000)
afterAll(async () => {
  await edge?.dispose()
  await world.close()
  await rm(kvDirectory, { recursive: true, force: true })
})

const UNAVAILABLE = { status: 503, code: "DATABASE_UNAVAILABLE" }

test("PostgreSQL may be killed: reads go on, writes are refused, and both are right again when it is back", {
  timeout: 120_000,
}, async () => {
  const tenant = await createTenant(world.hotswap, "patient")
  const readers = { edge: createReader(tenant), origin: createReader(tenant) }
  await expectAcknowledged(world.hotswap, tenant, readers)
  const reads = async () => [
    await readers.edge(world.hotswap.url),
    await readers.origin(world.hotswap.originUrl),
  ]
  await world.killPostgres()
  expect(await write(world.hotswap, tenant)).toEqual(UNAVAILABLE)
  for (let i = 0; i < 20; i++) await reads()

  await world.restartPostgres()
  await expect.poll(() => write(world.hotswap, tenant), MOVING_BOUND).toMatchObject({ status: 200 })
  await expectAcknowledged(world.hotswap, tenant, readers)
})

test("a PostgreSQL that takes connections and never answers: the same, and nobody waits for ever", {
  timeout: 120_000,
}, async () => {
  const tenant = await createTenant(world.hotswap, "unanswered")
  const readers = { edge: createReader(tenant), origin: createReader(tenant) }
  await expectAcknowledged(world.hotswap, tenant, readers)
  await world.databaseWire.set("silent")
  const refused = await Promise.all([write(world.hotswap, tenant), write(world.hotswap, tenant)])
  expect(refused).toEqual([UNAVAILABLE, UNAVAILABLE])
  await readers.edge(world.hotswap.url)
  await readers.origin(world.hotswap.originUrl)

  await world.databaseWire.set("none")
  await expect.poll(() => write(world.hotswap, tenant), MOVING_BOUND).toMatchObject({ status: 200 })
  await expectAcknowledged(world.hotswap, tenant, readers)
})

/** Its memory and its Cache API end with it; what it keeps is KV. */
const edgeWithoutMemory = (): Promise<RunningEdge> =>
  startEdge({ origin: world.hotswap.originUrl, jwks: world.readerKeys, kvDirectory })

test("origin and database may go, and the edge's memory too: what was read last is read on, never what was before", {
  timeout: 120_000,
}, async () => {
  const tenant = await createTenant(world.hotswap, "outlived")
  const read = createReader(tenant)
  edge = await edgeWithoutMemory()
  const reads = () => read(edge.url)
  await reads()
  expect((await write(world.hotswap, tenant)).status).toBe(200)
  await expect.poll(reads, MOVING_BOUND).toMatchObject({ value: tenant.acknowledged, stale: null })
  const { revision } = await reads()
  const kept = async () => (await edge.lastKnownGood()).get(`outlived/${ENVIRONMENT}`)
  await expect.poll(kept, MOVING_BOUND).toContain(`"revision":"${revision}"`)

  await world.kill()
  await world.killPostgres()
  const lastKnownGood = { value: tenant.acknowledged, revision }
  expect(await reads()).toMatchObject(lastKnownGood)
  await edge.dispose()
  edge = await edgeWithoutMemory()
  expect(await reads()).toMatchObject(lastKnownGood)
  await expect.poll(async () => (await reads()).stale, MOVING_BOUND).toBeGreaterThanOrEqual(8)
  expect(await reads()).toMatchObject(lastKnownGood)

  await world.restartPostgres()
  await world.restart()
  expect((await write(world.hotswap, tenant)).status).toBe(200)
  await expect.poll(reads, MOVING_BOUND).toMatchObject({ value: tenant.acknowledged, stale: null })
})
