import postgres from "postgres"
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
    settings: { eventDays: 90, metricTenants: 10 } as never,
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

test("marks that cannot be published keep no younger one from its turn, however many they are", async () => {
  const tenant = await newTenant()
  const admin = postgres(world.url("postgres"), { max: 1, onnotice: () => {} })
  await admin`insert into hotswap.outbox (tenant_id, environment, at)
    select ${tenant}, 'Broken' || n, now() - interval '1 hour' from generate_series(1, 150) n`
  const { cache, publisher } = observed()
  const relay = createRelay({
    ...world.platform,
    settings: { eventDays: 90, metricTenants: 10 } as never,
    system: world.system,
    cache,
    publisher: {
      publish: async (scope, environment) => {
        if (environment.startsWith("Broken")) throw new Error("what it points to is not there")
        return await publisher.publish(scope, environment)
      },
    },
    close: async () => {},
  })
  await world.commit(tenant, "n", 1)
  for (let nth = 0; nth < 3; nth++) await relay.sweep()
  expect(cache.pointers.has(`${tenant}/${PRODUCTION}`)).toBe(true)
  await admin`delete from hotswap.outbox where environment like 'Broken%'`
  await admin.end()
})

test("a mark that was set again while its pointer was published stays for the next sweep", async () => {
  const tenant = await newTenant()
  const { cache, publisher } = observed()
  await observed().relay.sweep()
  await world.commit(tenant, "n", 1)
  let moved = false
  const relay = createRelay({
    ...world.platform,
    settings: { eventDays: 90, metricTenants: 10 } as never,
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

test("once an hour it has forgotten what nobody needs any more, however much that is", async () => {
  const tenant = await newTenant()
  const admin = postgres(world.url("postgres"), { max: 1, onnotice: () => {} })
  const outdate = () =>
    admin.unsafe(`
    insert into hotswap.gate_readers (tenant_id, environment, instance, token_id, seq, at)
      select '${tenant}', '${PRODUCTION}', 'i' || n, 't', 1, now() - interval '2 days' from generate_series(1, 5001) n;
    insert into hotswap.idempotency_keys (tenant_id, key, fingerprint, status, headers, body, stamps, at, expires_at)
      select '${tenant}', 'k' || n, '', 200, '{}', '', '[]', now(), now() from generate_series(1, 5001) n`)
  const left = async () =>
    (
      await admin`select tenant_id from hotswap.gate_readers where tenant_id = ${tenant}
        union all select tenant_id from hotswap.idempotency_keys where tenant_id = ${tenant}`
    ).length
  const { relay } = observed()
  const sweep = async () => {
    await relay.sweep()
    await world.background.settled()
  }
  await outdate()
  await sweep()
  expect(await left()).toBe(0)
  await outdate()
  world.clock.advance(3_599_000)
  await sweep()
  expect(await left()).toBe(10_002)
  world.clock.advance(1_000)
  await sweep()
  expect(await left()).toBe(0)
  await admin.end()
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
