import { afterAll, beforeAll, expect, test } from "vitest"
import { type Lie, STRANGER } from "../support/lying-redis.ts"
import { type CountingTenant, createReader, createTenant, write } from "./tenant.ts"
import { startWorld, type World } from "./world.ts"

/** A pointer that moved lately is 8 s old at the most; a busy machine needs some more. */
const WITHIN_THE_BOUND = { timeout: 8_000 + 7_000, interval: 50 }
const LIES: readonly Lie[] = ["older", "truncated", "foreign", "forged", "forgetful", "mute"]

let world: World
beforeAll(async () => {
  world = await startWorld()
}, 90_000)
afterAll(() => world.close())

/** Reads at the edge and behind it until both give what was acknowledged; no answer on the way may be wrong. */
const expectRead = async (tenant: CountingTenant): Promise<void> => {
  const { url, originUrl } = world.hotswap
  const [edge, origin] = [createReader(tenant), createReader(tenant)]
  await expect
    .poll(async () => [(await edge(url)).value, (await origin(originUrl)).value], WITHIN_THE_BOUND)
    .toEqual([tenant.acknowledged, tenant.acknowledged])
}

test("whatever Redis says of a tenant, what is read of it is its own, and of now", async () => {
  await createTenant(world.hotswap, STRANGER)
  await Promise.all(
    LIES.map(async (lie) => {
      const tenant = await createTenant(world.hotswap, `lied-about-${lie}`)
      await write(world.hotswap, tenant)
      await expectRead(tenant)
      world.redis.lie(tenant.tenantId, lie)
      const origin = createReader(tenant)
      const asked = world.redis.count("GET", tenant.tenantId)
      expect(await write(world.hotswap, tenant)).toEqual({ status: 200, code: undefined })
      await expectRead(tenant)
      await expect
        .poll(async () => {
          expect(await origin(world.hotswap.originUrl)).toMatchObject({ value: tenant.acknowledged, stale: null })
          return world.redis.count("GET", tenant.tenantId)
        }, WITHIN_THE_BOUND)
        .toBeGreaterThanOrEqual(asked + 3)
    }),
  )
})

test("a Redis that takes five seconds is waited for once, by one read of many", async () => {
  const { call } = world.hotswap
  const tenant = await createTenant(world.hotswap, "slowed")
  // Nothing of it is in the memory of any function.
  const cold = ["QA", "Staging", "Production"]
  await world.redisWire.set("slow")
  world.redis.forget()
  for (const environment of cold) {
    const answer = await call("GET", `/api/v1/configs/tenant/slowed?environment=${environment}`, { origin: true })
    expect(answer.status).toBe(200)
  }
  expect(world.redis.count("GET")).toBe(1)
  expect(await write(world.hotswap, tenant)).toEqual({ status: 200, code: undefined })
  await expectRead(tenant)
  expect(world.redis.count("GET"), "nobody waited again").toBe(1)
})

test("without Redis writes are acknowledged and read", async () => {
  const tenant = await createTenant(world.hotswap, "alone")
  await world.redisWire.set("refused")
  expect(await write(world.hotswap, tenant)).toEqual({ status: 200, code: undefined })
  await expectRead(tenant)
})
