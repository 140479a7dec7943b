import { afterAll, beforeAll, expect, test } from "vitest"
import { PLATFORM, tierScope } from "../../../core/ids.ts"
import { createPublisher } from "../../../functions/platform/publish.ts"
import { pointerReading } from "../../../functions/platform/reading-postgres.ts"
import { createRelay } from "../../../functions/relay/relay.ts"
import { memoryCache } from "../../contracts/cache-memory.ts"
import { makeTenant, PRODUCTION } from "../../db/fixtures.ts"
import { pathOf, realWorld } from "../read/real.ts"
import { jsonOf } from "../read/world.ts"

let world: Awaited<ReturnType<typeof realWorld>>
let tenants = 0
const newTenant = async () => (await makeTenant(world.app, `relayed-${++tenants}`)).tenantId

beforeAll(async () => {
  world = await realWorld()
})
afterAll(() => world.stop())

/** The relay on the same database, with a cache of maps that can be looked into and taken down. */
const observed = () => {
  const cache = memoryCache(world.clock)
  const publisher = createPublisher({ reading: pointerReading(world.read), cache, clock: world.clock })
  const basics = {
    clock: world.clock,
    log: world.log,
    background: world.background,
    trace: world.platform.trace,
  }
  const relay = createRelay({
    ...basics,
    settings: {} as never,
    system: world.system,
    cache,
    publisher,
    close: async () => {},
  })
  return { cache, publisher, relay }
}

test("a sweep takes to Redis what commits marked, tells those who listen, and leaves nothing", async () => {
  const tenant = await newTenant()
  await world.commit(tenant, "n", 1)
  const { cache, relay } = observed()
  await relay.sweep()
  expect(JSON.parse(cache.pointers.get(`${tenant}/${PRODUCTION}`)!.text)).toMatchObject({ tenantId: tenant })
  expect(cache.events).toContainEqual({
    type: "tenant_config",
    scope: tenant,
    environment: PRODUCTION,
    revision: expect.stringMatching(/^\d+\.\d+\.\d+\.2$/),
  })
  expect(await relay.sweep()).toEqual({ published: 0, left: 0 })
})

test("Redis being down leaves the marks for the next sweep", async () => {
  const tenant = await newTenant()
  await world.commit(tenant, "n", 1)
  const { cache, relay } = observed()
  cache.down = true
  const failed = await relay.sweep()
  expect(failed.published).toBe(0)
  expect(failed.left).toBeGreaterThan(0)
  cache.down = false
  expect(await relay.sweep()).toEqual({ published: failed.left, left: 0 })
  expect(cache.pointers.has(`${tenant}/${PRODUCTION}`)).toBe(true)
})

test("a mark that was set again while its pointer was published stays for the next sweep", async () => {
  const tenant = await newTenant()
  const { cache, publisher } = observed()
  await observed().relay.sweep()
  await world.commit(tenant, "n", 1)
  let moved = false
  const relay = createRelay({
    ...world.platform,
    settings: {} as never,
    system: world.system,
    cache,
    publisher: {
      publish: async (scope, environment) => {
        const taken = await publisher.publish(scope, environment)
        if (!moved) await world.commit(tenant, "n", 2)
        moved = true
        return taken
      },
    },
    close: async () => {},
  })
  await relay.sweep()
  expect(await relay.sweep()).toEqual({ published: 1, left: 0 })
  expect(JSON.parse(cache.pointers.get(`${tenant}/${PRODUCTION}`)!.text).revision).toMatch(/\.3$/)
})

test("publishing twice, and out of order, is harmless", async () => {
  const tenant = await newTenant()
  await world.commit(tenant, "n", 1)
  const { cache, relay } = observed()
  expect(await relay.publishNow(tenant, PRODUCTION)).toBe(true)
  const first = cache.pointers.get(`${tenant}/${PRODUCTION}`)
  expect(await relay.publishNow(tenant, PRODUCTION)).toBe(true)
  expect(cache.pointers.get(`${tenant}/${PRODUCTION}`)).toEqual(first)
})

test("a tenant that was never there is published as nothing, without failing", async () => {
  const { cache, relay } = observed()
  expect(await relay.publishNow("nobody" as never, PRODUCTION)).toBe(true)
  expect(cache.pointers.size).toBe(0)
})

test("the platform and the tiers are marked rather than published, and told as global", async () => {
  const { cache, relay } = observed()
  await world.commit(PLATFORM, "everywhere", 1)
  await world.commit(tierScope("Pro"), "for.pro", 1)
  await relay.sweep()
  expect(cache.marks.get(`${PRODUCTION}/${PLATFORM}`)?.seq).toBeGreaterThan(0)
  expect(cache.marks.get(`${PRODUCTION}/${tierScope("Pro")}`)?.seq).toBeGreaterThan(0)
  expect(cache.events.map(({ type, scope }) => [type, scope])).toEqual(
    expect.arrayContaining([
      ["global_config", PLATFORM],
      ["global_config", tierScope("Pro")],
    ]),
  )
})

test("what is published is what a reader without the database gets", async () => {
  const tenant = await newTenant()
  await world.commit(tenant, "n", { deep: ["é", 1.5] })
  await world.relay.sweep()
  const token = await world.reader([tenant])
  const before = world.counted.commands
  expect(jsonOf(await world.call(pathOf(tenant), token)).configs.n).toEqual({ deep: ["é", 1.5] })
  expect(world.counted.commands).toBe(before)
})
