import postgres from "postgres"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { TenantUsage, UsageBatch } from "../../../core/usage/batch.ts"
import { BURST } from "../../../core/usage/burst.ts"
import { emptyHistogram } from "../../../core/usage/histogram.ts"
import { CacheUnavailable } from "../../../functions/platform/breaker.ts"
import { countUsage, SERIES_MAX } from "../../../functions/relay/usage.ts"
import { must } from "../manage/world.ts"
import { createUsageWorld, type UsageWorld } from "../outcomes/usage-world.ts"

let world: UsageWorld
let admin: postgres.Sql
beforeAll(async () => {
  world = await createUsageWorld()
  admin = postgres(world.url("postgres"), { max: 1, onnotice: () => {} })
})
afterAll(async () => {
  await admin.end()
  await world.close()
})

interface Usage {
  from: string
  to: string
  orders: { count: number; amountCents: number }
  users: { active: number; total: number }
  requests: { count: number; averageMs: number | null }
  errors: { count: number }
  securityAlerts: { count: number }
}
interface Health {
  service: Record<"errorRate" | "responseMs" | "uptime" | "databaseBytes", number | null>
}

const usageOf = (tenantId: string, query = "") =>
  world.read<Usage>(`/api/v1/tenants/${tenantId}/usage${query}`)
const healthOf = async (tenantId: string) =>
  (await world.read<Health>(`/api/v1/tenants/${tenantId}/health`)).service
const ago = (minutes: number) => new Date(world.platform.clock.nowMs() - minutes * 60_000).toISOString()

/** A tenant and who tells of it. */
const shopOf = async (tenantId: string, tier = "Enterprise") => {
  const tenant = await world.tenant(tenantId, tier)
  const reader = await tenant.issue(`shop@${tenantId}`, ["reader"], "Production")
  return {
    ...tenant,
    tell: (...events: object[]) => world.tell(reader, ...events.map((event) => ({ tenantId, ...event }))),
  }
}

const order = (amountCents: number, more: object = {}) => ({
  type: "order_created",
  data: { orderId: "1", amountCents },
  ...more,
})

test("usage is of the period asked for, widened to whole ten minutes, and of 30 days where none is", async () => {
  const { tell } = await shopOf("periods")
  await tell(
    order(100, { at: ago(0) }),
    order(20, { at: ago(60 * 24 * 29) }),
    order(3, { at: ago(60 * 24 * 31) }),
    { type: "user_login", data: { userId: "ann" }, at: ago(0) },
    { type: "user_login", data: { userId: "ann" }, at: ago(60 * 24) },
    { type: "user_login", data: { userId: "bob" }, at: ago(60 * 24 * 40) },
  )
  await world.count()
  expect(await usageOf("periods")).toMatchObject({
    orders: { count: 2, amountCents: 120 },
    users: { active: 1, total: 2 },
  })
  const last = await usageOf("periods", `?from=${ago(5)}&to=${ago(-1)}`)
  expect(last.orders).toEqual({ count: 1, amountCents: 100 })
  for (const at of [last.from, last.to]) expect(at).toMatch(/:\d0:00\.000000Z$/)
  expect((await usageOf("periods", `?from=${ago(60 * 24 * 60)}`)).users).toEqual({ active: 2, total: 2 })
  const backwards = await world.call("GET", `/api/v1/tenants/periods/usage?from=${ago(0)}&to=${ago(9)}`)
  expect(backwards.body.code).toBe("QUERY_INVALID")
})

test("health is of the requests of the last hours; of a tenant without any, nothing is said", async () => {
  const { tell } = await shopOf("healthy")
  const request = (status: number, durationMs: number, minutesAgo: number) => ({
    type: "api_request",
    data: { path: "/x", method: "GET", status, durationMs },
    at: ago(minutesAgo),
  })
  expect(await healthOf("healthy")).toMatchObject({ errorRate: null, responseMs: null, uptime: null })
  // What was asked until here is forgotten, so that nothing but what is told is looked at.
  await world.count()
  await admin`delete from hotswap.usage_slots where tenant_id = 'healthy'`
  await tell(request(500, 900, 300), request(200, 10, 1), request(200, 30, 1), request(404, 20, 1))
  await world.relay.countUsage()
  const health = await healthOf("healthy")
  expect(health).toMatchObject({ errorRate: 0.25, responseMs: 20, uptime: 0.5 })
  expect(health.databaseBytes).toBeGreaterThan(1_000)
})

describe("what a function counted", () => {
  const usage = (count: number): TenantUsage => ({
    requests: [["/r", "GET", 200, "ann", count, 5]],
    durations: emptyHistogram(),
    refused: 0,
  })
  const batch = (seq: number, count: number, ...others: string[]): UsageBatch => ({
    instance: "0190a1b2-7c3d-7e4f-8a9b-0c1d2e3f4a5b",
    seq,
    atMs: world.platform.clock.nowMs(),
    tenants: Object.fromEntries(["exact", ...others].map((tenantId) => [tenantId, usage(count)])),
  })
  const counted = async () => {
    const [row] = await admin`select coalesce(sum(count), 0)::int as many from hotswap.usage_requests
      where tenant_id = 'exact' and route = '/r'`
    return row!.many as number
  }

  test("counts once, however often it is handed on, and when counting ends half-way", async () => {
    await shopOf("exact")
    await world.inbox.put(batch(1, 10))
    await world.inbox.put(batch(1, 10))
    await world.inbox.put(batch(2, 5))
    const { clock, log } = world.platform
    const deps = { system: world.system, db: undefined, clock, log, metricTenants: 10 }
    const remove = () => Promise.reject(new CacheUnavailable("cut off"))
    await countUsage({ ...deps, inbox: { ...world.inbox, remove } })
    expect(await counted()).toBe(15)
    await world.inbox.put(batch(2, 5))
    await world.inbox.put(batch(3, 1))
    await world.relay.countUsage()
    expect(await counted()).toBe(16)
    expect(await world.inbox.look(9)).toEqual([])
  })

  test("comes from the edge like from any other instance, and from nobody who only says so", async () => {
    const edges = { ...batch(1, 100), instance: "0190a1b2-7c3d-7e4f-8a9b-0c1d2e3f4a5c" }
    expect((await world.tellAsEdge(edges)).status).toBe(202)
    expect((await world.tellAsEdge(edges)).status).toBe(202)
    expect((await world.tellAsEdge(edges, "another-secret-of-some-length")).body.code).toBe("ROUTE_UNKNOWN")
    for (const odd of [
      { instance: "edge-1" },
      { seq: -1 },
      { atMs: 1e18 },
      { tenants: { "No Slug": usage(1) } },
      { tenants: { exact: { ...usage(1), requests: [["/r", "GET", 200, "ann", "1", 5]] } } },
      { tenants: { exact: { ...usage(1), durations: { buckets: [1], sumSeconds: 0 } } } },
    ])
      expect((await world.tellAsEdge({ ...edges, ...odd })).body.code, JSON.stringify(odd)).toBe(
        "BODY_INVALID",
      )
    await world.relay.countUsage()
    expect(await counted()).toBe(116)
  })

  test("of a tenant that is gone counts for nobody, and is in nobody's way", async () => {
    await world.inbox.put(batch(4, 1, "never-was"))
    await world.relay.countUsage()
    expect(await counted()).toBe(117)
  })
})

test("a request about a tenant is counted by its route, who made it and how it ended, and refused ones too", async () => {
  const { tokens } = await shopOf("asked")
  for (let nth = 0; nth < 3; nth++)
    await must(world.call("GET", "/api/v1/tenants/asked", { token: tokens.viewer }), 200)
  await must(world.call("PATCH", "/api/v1/tenants/asked", { token: tokens.viewer, body: { name: "x" } }), 403)
  const consume = "/api/v1/tenants/asked/limits/command/consume"
  await must(world.call("POST", consume, { token: tokens.engineer }), 200)
  await world.count()
  const rows =
    await admin`select method, route, status, user_id as user, count::int from hotswap.usage_requests
    where tenant_id = 'asked' and user_id = 'viewer@asked' order by method`
  expect(rows).toEqual([
    { method: "GET", route: "/api/v1/tenants/{tenantId}", status: 200, user: "viewer@asked", count: 3 },
    { method: "PATCH", route: "/api/v1/tenants/{tenantId}", status: 403, user: "viewer@asked", count: 1 },
  ])
  const lines = await world.metrics()
  const labels = 'tenant="asked",tier="Enterprise"'
  expect(lines).toContain(
    `hotswap_tenant_requests_total{${labels},source="service",route="/api/v1/tenants/{tenantId}",method="GET",status="200"} 3`,
  )
  expect(lines).toContain(
    `hotswap_tenant_rate_limit_requests_total{${labels},environment="Production",action="command",result="allowed"} 1`,
  )
})

test("a burst of refusals is a security alert at the tenant whose token it is, once", async () => {
  const thief = await shopOf("thief")
  await shopOf("victim")
  for (let nth = 0; nth < BURST; nth++)
    await must(world.call("GET", "/api/v1/tenants/victim", { token: thief.tokens.viewer }), 404)
  for (let round = 0; round < 3; round++) await world.count()
  await must(world.call("GET", "/api/v1/tenants/victim", { token: thief.tokens.viewer }), 404)
  await world.count()
  expect((await usageOf("thief")).securityAlerts).toEqual({ count: 1 })
  expect((await usageOf("victim")).securityAlerts).toEqual({ count: 0 })
  const [alert] = await admin`select type, data from hotswap.tenant_events where tenant_id = 'thief'`
  expect(alert).toMatchObject({ type: "security_alert", data: { kind: "refused_access", count: BURST } })
})

test("a person who is erased is named nowhere, and what they did still counts", async () => {
  const { tell, tokens } = await shopOf("forgets")
  await tell(
    order(5, { data: { orderId: "1", amountCents: 5, userId: "ann" } }),
    { type: "api_request", data: { path: "/x", method: "GET", status: 200, durationMs: 1, userId: "ann" } },
    { type: "user_login", data: { userId: "bob" } },
  )
  await must(world.call("GET", "/api/v1/tenants/forgets", { token: tokens.viewer }), 200)
  await world.count()
  const before = await usageOf("forgets")
  const found = await must(
    world.call("POST", "/api/v1/tenants/forgets/persons/export", { body: { subject: "ann" } }),
    200,
  )
  const { items } = JSON.parse(found.text) as { items: { in: string }[] }
  expect(items.map((item) => item.in).slice(0, 3)).toEqual([
    "tenant_events",
    "tenant_events",
    "usage_requests",
  ])
  const erased = await must(
    world.call<{ rows: Record<string, number> }>("POST", "/api/v1/tenants/forgets/persons/erase", {
      body: { subject: "ann", alsoKnownAs: ["viewer@forgets"] },
    }),
    200,
  )
  expect(erased.body.rows).toMatchObject({ tenant_events: 2, usage_requests: 2, usage_users: 1 })
  const [left] = await admin`select count(*)::int as many from (
      select user_id from hotswap.tenant_events where tenant_id = 'forgets'
      union all select user_id from hotswap.usage_requests where tenant_id = 'forgets') named
    where user_id in ('ann', 'viewer@forgets')`
  expect(left!.many).toBe(0)
  const after = await usageOf("forgets")
  expect(after.orders).toEqual(before.orders)
  expect(after.users).toEqual(before.users)
})

test("what is older than the days that are kept is forgotten, and nothing else", async () => {
  const { tell } = await shopOf("keeps")
  await tell(order(1), { type: "user_login", data: { userId: "ann" } })
  await world.count()
  await admin.unsafe(`
    insert into hotswap.tenant_events (tenant_id, event_id, type, at, received_at, data, counted)
      select 'keeps', 'old' || n, 'error', now(), now() - interval '91 days', '{}', true from generate_series(1, 3) n;
    insert into hotswap.usage_slots (tenant_id, slot, kind, count) values ('keeps', now() - interval '91 days', 'error', 1);
    insert into hotswap.usage_users (tenant_id, day, user_key) values ('keeps', current_date - 92, '\\x00');
    insert into hotswap.usage_requests (tenant_id, day, route, method, status, user_id) values ('keeps', current_date - 92, '/', 'GET', 200, '')`)
  await world.relay.sweep().catch(() => {})
  await world.platform.background.settled()
  const [left] = await admin`select
      (select count(*)::int from hotswap.tenant_events where tenant_id = 'keeps') as events,
      (select count(*)::int from hotswap.usage_slots where tenant_id = 'keeps' and kind = 'error') as slots,
      (select count(*)::int from hotswap.usage_users where tenant_id = 'keeps') as users,
      (select count(*)::int from hotswap.usage_requests where tenant_id = 'keeps' and day < current_date - 90) as requests`
  expect(left).toEqual({ events: 2, slots: 0, users: 1, requests: 0 })
})

describe("with more tenants than have labels of their own", () => {
  let small: UsageWorld
  beforeAll(async () => {
    small = await createUsageWorld({ metricTenants: 2 })
  })
  afterAll(() => small.close())

  const tell = async (tenantId: string, tier: string, events: object[]) => {
    const tenant = await small.tenant(tenantId, tier)
    const token = await tenant.issue("shop", ["reader"], "Production")
    await small.tell(token, ...events.map((event) => ({ tenantId, ...event })))
    await small.count()
  }

  test("the others come together under their tier, Free ones first, and nothing is lost or counted twice", async () => {
    await tell("free-1", "Free", [order(1)])
    await tell("free-2", "Free", [order(10)])
    await tell("pro-1", "Pro", [order(100)])
    await tell("pro-2", "Pro", [order(1_000)])
    await tell("pro-3", "Pro", [order(10_000)])
    const amounts = (await small.metrics()).filter((line) => line.includes("order_amount"))
    const amount = (tenant: string, tier: string) =>
      `hotswap_tenant_order_amount_cents_total{tenant="${tenant}",tier="${tier}"}`
    expect(amounts.toSorted()).toEqual([
      `${amount("free-1", "Free")} 1`,
      `${amount("pro-1", "Pro")} 100`,
      `${amount("~other", "Free")} 10`,
      `${amount("~other", "Pro")} 11000`,
    ])
  })

  test("pages part the tenants, so that together they are what one page is", async () => {
    const whole = await small.metrics()
    const parts = await Promise.all([1, 2, 3].map((page) => small.metrics(`?page=${page}&pages=3`)))
    expect(parts.flat().toSorted()).toEqual(whole.toSorted())
    expect((await small.call("GET", "/metrics?page=4&pages=3")).body.code).toBe("QUERY_INVALID")
  })

  test("of labels that applications choose, those beyond the cap come together", async () => {
    const errors = Array.from({ length: SERIES_MAX + 50 }, (_, nth) => ({
      type: "error",
      data: { type: `e${nth}` },
    }))
    await tell("talks", "Enterprise", errors)
    await tell("talks-2", "Enterprise", errors)
    const lines = (await small.metrics()).filter((line) => line.startsWith("hotswap_tenant_errors_total"))
    expect(lines.length).toBeLessThanOrEqual(SERIES_MAX + 1)
    expect(lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0)).toBe(2 * errors.length)
    expect(lines.some((line) => line.includes('type="~other"'))).toBe(true)
  })
})
