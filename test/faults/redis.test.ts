import { afterAll, afterEach, beforeAll, expect, test } from "vitest"
import { type Lie, STRANGER } from "../support/lying-redis.ts"
import {
  type CountingTenant,
  createReader,
  createTenant,
  expectAcknowledged,
  MOVING_BOUND,
  write,
} from "./tenant.ts"
import { startWorld, type World } from "./world.ts"

const LIES: readonly Lie[] = ["older", "truncated", "foreign", "forged", "forgetful", "mute"]
/** Where nothing was read yet, so that nothing is in the memory of any function. */
const COLD = ["QA", "Staging", "Production"]
/** Where everybody is busy, a deadline of 150 ms passes now and then, and Redis is left alone for a while. */
const ASKED_AGAIN = { ...MOVING_BOUND, timeout: 60_000 }
const TAKEN = { status: 200, code: undefined }

let world: World
beforeAll(async () => {
  world = await startWorld()
}, 90_000)
afterEach(() => world.redisWire.set("none"))
afterAll(() => world.close())

/** Read everywhere, and so in every memory. */
const knownTenant = async (tenantId: string): Promise<CountingTenant> => {
  const tenant = await createTenant(world.hotswap, tenantId)
  await expectAcknowledged(world.hotswap, tenant)
  return tenant
}

test("whatever Redis says of a tenant, what is read of it is its own, and of now", async () => {
  await createTenant(world.hotswap, STRANGER, 1_000_000)
  const lieAbout = async (lie: Lie): Promise<void> => {
    const tenant = await knownTenant(`lied-about-${lie}`)
    world.redis.lie(tenant.tenantId, lie)
    expect(await write(world.hotswap, tenant)).toEqual(TAKEN)
    await expectAcknowledged(world.hotswap, tenant)
    // And when it has been read, Redis is asked again and again.
    const asked = world.redis.count("GET", tenant.tenantId)
    const read = createReader(tenant)
    await expect
      .poll(async () => {
        expect(await read(world.hotswap.originUrl)).toMatchObject({ value: tenant.acknowledged, stale: null })
        return [world.redis.count("GET", tenant.tenantId) - asked >= 2, world.redis.lied(tenant.tenantId) > 0]
      }, ASKED_AGAIN)
      .toEqual([true, true])
  }
  await Promise.all(LIES.map(lieAbout))
}, 120_000)

test("what was committed is read after a crash that came before any cache heard of it", async () => {
  const tenant = await createTenant(world.hotswap, "crashed")
  const readers = { edge: createReader(tenant), origin: createReader(tenant) }
  await expectAcknowledged(world.hotswap, tenant, readers)
  const { revision } = await readers.origin(world.hotswap.originUrl)
  const isKept = async () => (await world.keptPointer("crashed"))?.includes(`"revision":"${revision}"`)
  await expect.poll(isKept, MOVING_BOUND).toBe(true)

  await world.redisWire.set("silent")
  expect(await write(world.hotswap, tenant)).toEqual(TAKEN)
  await expect.poll(() => world.redisWire.arrived(), MOVING_BOUND).toBeGreaterThan(0)
  await world.kill()
  await world.redisWire.set("none")
  expect(await isKept(), "Redis still has what was before").toBe(true)

  await world.restart()
  await expectAcknowledged(world.hotswap, tenant, readers)
})

test("a Redis that takes five seconds is waited for once, by one read of many", async () => {
  const { call } = world.hotswap
  const tenant = await knownTenant("slowed")
  await createTenant(world.hotswap, "cold")
  const tokens = new Map<string, string>()
  for (const environment of COLD) {
    const body = { subject: "shop", roles: ["reader"], environment }
    const issued = await call<{ token: string }>("POST", "/api/v1/tenants/cold/tokens", { body })
    tokens.set(environment, issued.body.token)
  }
  await world.redisWire.set("slow")
  const before = world.redis.count("GET")
  for (const environment of COLD) {
    const path = `/api/v1/configs/tenant/cold?environment=${environment}`
    expect((await call("GET", path, { origin: true, token: tokens.get(environment)! })).status).toBe(200)
  }
  const waited = world.redis.count("GET")
  expect(waited).toBeGreaterThan(before)
  expect(world.redis.count("GET", "cold")).toBeLessThanOrEqual(1)
  expect(await write(world.hotswap, tenant)).toEqual(TAKEN)
  await expectAcknowledged(world.hotswap, tenant)
  expect(world.redis.count("GET"), "nobody waited again").toBe(waited)
})

test("without Redis writes are acknowledged, and read within the bound", async () => {
  const tenant = await knownTenant("alone")
  await world.redisWire.set("refused")
  expect(await write(world.hotswap, tenant)).toEqual(TAKEN)
  await expectAcknowledged(world.hotswap, tenant)
})
