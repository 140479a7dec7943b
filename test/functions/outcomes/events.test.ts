import { afterAll, beforeAll, expect, test } from "vitest"
import { openChecksums } from "../manage/checksums.ts"
import { must } from "../manage/world.ts"
import { createUsageWorld, type UsageWorld } from "./usage-world.ts"

let world: UsageWorld
let acme: Awaited<ReturnType<UsageWorld["tenant"]>>
let reader: string
let sums: ReturnType<typeof openChecksums>
beforeAll(async () => {
  world = await createUsageWorld()
  acme = await world.tenant("acme")
  await world.tenant("bolt")
  reader = await acme.issue("shop", ["reader"], "Production")
  sums = openChecksums(world.url("postgres"))
})
afterAll(async () => {
  await sums.close()
  await world.close()
})

const login = { tenantId: "acme", type: "user_login", data: { userId: "ann" } }

/** Refused with that code and at that place, and not one row altered. */
const refused = async (token: string | null, body: unknown, code: string, path?: string, headers = {}) => {
  const before = await sums.read()
  const answer = await world.post(token, body, headers)
  expect(answer.body.code, answer.text).toBe(code)
  expect(answer.headers.get("content-type")).toContain("application/problem+json")
  if (path !== undefined) expect(answer.body.errors.map((error) => error.path)).toEqual([path])
  expect(await sums.read()).toEqual(before)
}

test("applications, engineers and admins tell of events, nobody else, and of no tenant but their own", async () => {
  for (const token of [reader, acme.tokens.engineer, acme.tokens.tenant_admin])
    expect(await world.tell(token, login)).toEqual({ accepted: 1, known: 0 })
  for (const role of ["viewer", "manager", "compliance"] as const)
    await refused(acme.tokens[role], { events: [login] }, "FORBIDDEN")
  await refused(null, { events: [login] }, "UNAUTHENTICATED")
  for (const tenantId of ["bolt", "nobody"])
    await refused(
      reader,
      { events: [login, { ...login, tenantId }] },
      "TENANT_NOT_FOUND",
      "/events/1/tenantId",
    )
  await refused(reader, { events: [login] }, "TENANT_MISMATCH", "/events/0/tenantId", {
    "x-tenant-id": "bolt",
  })
})

test("an event told again under its id is kept once, whoever tells it and whatever it says", async () => {
  const order = {
    tenantId: "acme",
    type: "order_created",
    id: "order-1",
    data: { orderId: "1", amountCents: 5 },
  }
  expect(await world.tell(reader, order, login)).toEqual({ accepted: 2, known: 0 })
  const again = { ...order, data: { orderId: "1", amountCents: 500 } }
  expect(await world.tell(acme.tokens.engineer, again)).toEqual({ accepted: 0, known: 1 })
  await world.count()
  const { orders } = await world.read<{ orders: unknown }>("/api/v1/tenants/acme/usage")
  expect(orders).toEqual({ count: 1, amountCents: 5 })
  await refused(reader, { events: [order, order] }, "BODY_INVALID", "/events/1/id")
})

test("of a batch for several tenants all is kept or nothing", async () => {
  const body = { subject: "apps", roles: ["reader"], tenants: "*", environment: "Production" }
  const { token } = (await must(world.call<{ token: string }>("POST", "/api/v1/tokens", { body }), 201)).body
  const bolt = { ...login, tenantId: "bolt" }
  expect(await world.tell(token, login, bolt)).toEqual({ accepted: 2, known: 0 })
  await refused(
    token,
    { events: [bolt, { ...login, tenantId: "nobody" }] },
    "TENANT_NOT_FOUND",
    "/events/1/tenantId",
  )
  await must(world.call("POST", "/api/v1/tenants/bolt/suspend"), 200)
  await refused(token, { events: [login, bolt] }, "TENANT_SUSPENDED", "/events/1/tenantId")
})

test("a token that was revoked tells nothing", async () => {
  const gone = await acme.issue("gone", ["reader"], "Production")
  const { items } = await world.read<{ items: { tokenId: string; subject: string }[] }>(
    "/api/v1/tenants/acme/tokens",
  )
  const { tokenId } = items.find(({ subject }) => subject === "gone")!
  await must(world.call("DELETE", `/api/v1/tenants/acme/tokens/${tokenId}`), 200)
  await refused(gone, { events: [login] }, "UNAUTHENTICATED")
})

test("what is no batch of events is refused, place by place", async () => {
  const order = { tenantId: "acme", type: "order_created", data: { orderId: "1", amountCents: 5 } }
  const request = { path: "/x", method: "GET", status: 200, durationMs: 1 }
  const of = (type: string, data: unknown) => ({ tenantId: "acme", type, data })
  const entry = { command: "ban", status: "ok", count: 2 }
  const far = (days: number) => new Date(world.platform.clock.nowMs() + days * 86_400_000).toISOString()
  const wrong: [unknown, string][] = [
    [{ ...order, type: "order" }, "/type"],
    [{ ...order, tenantId: "No Slug" }, "/tenantId"],
    [{ ...order, surprise: 1 }, "/surprise"],
    [{ ...order, id: "two words" }, "/id"],
    [{ ...order, id: "hotswap/1" }, "/id"],
    [{ ...order, at: "yesterday" }, "/at"],
    [{ ...order, at: far(1) }, "/at"],
    [{ ...order, at: far(-91) }, "/at"],
    [{ ...order, data: [] }, "/data"],
    [of("order_created", { orderId: "1", amountCents: 12.5 }), "/data/amountCents"],
    [of("order_created", { orderId: "1", amountCents: "12" }), "/data/amountCents"],
    [of("order_created", { orderId: "1", amountCents: -1 }), "/data/amountCents"],
    [of("order_created", { amountCents: 1 }), "/data/orderId"],
    [of("order_created", { orderId: "1", amountCents: 1, note: "for Ann" }), "/data/note"],
    [of("user_login", {}), "/data/userId"],
    [of("user_login", { userId: "" }), "/data/userId"],
    [of("user_login", { userId: "a\u0001" }), "/data/userId"],
    [of("payment_processed", { amountCents: 1 }), "/data/method"],
    [of("error", { type: "it went wrong" }), "/data/type"],
    [of("security_alert", { kind: "odd", severity: "dire" }), "/data/severity"],
    [of("api_request", { ...request, path: "x" }), "/data/path"],
    [of("api_request", { ...request, method: "get" }), "/data/method"],
    [of("api_request", { ...request, status: 1_000 }), "/data/status"],
    [of("api_request", { ...request, durationMs: -1 }), "/data/durationMs"],
    [of("metrics", { orders: [] }), "/data/orders"],
    [of("metrics", { commands: [entry, { ...entry, count: -1 }] }), "/data/commands/1/count"],
    [of("metrics", { commands: [{ ...entry, latency: [[5, 1]] }] }), "/data/commands/0/latency"],
    [of("metrics", { requests: [{ ...request, durationMs: undefined }] }), "/data/requests/0/count"],
  ]
  for (const [event, path] of wrong) {
    const answer = await world.post(reader, { events: [login, event] })
    expect(answer.body.code, answer.text).toBe("BODY_INVALID")
    expect(answer.body.errors.map((error) => error.path)).toEqual([`/events/1${path}`])
  }
  for (const [body, path] of [
    [[], ""],
    [{}, "/events"],
    [{ events: [] }, "/events"],
    [{ events: Array.from({ length: 501 }, () => login) }, "/events"],
    [{ events: [login], more: 1 }, "/more"],
    [{ events: [7] }, "/events/0"],
  ] as const)
    await refused(reader, body, "BODY_INVALID", path)
  for (const body of ["{", '{"events":[],"events":[]}', '{"events":[{"id":"\\u0000"}]}'])
    expect((await world.post(reader, body)).status).toBe(400)
})
