import { afterAll, beforeAll, expect, test } from "vitest"
import { must } from "../manage/world.ts"
import { createRouterWorld, type RouterWorld, startUpstream, type Upstream } from "./world.ts"

let world: RouterWorld
let names: Record<string, readonly string[]> = {}
const upstreams: Upstream[] = []
const start = async (...args: Parameters<typeof startUpstream>): Promise<Upstream> => {
  const upstream = await startUpstream(...args)
  upstreams.push(upstream)
  return upstream
}
beforeAll(async () => {
  const resolve = async (name: string) => {
    if (!names[name]) throw Object.assign(new Error("no such name"), { code: "ENOTFOUND" })
    return names[name]
  }
  world = await createRouterWorld({ resolve })
})
afterAll(async () => {
  await Promise.all(upstreams.map((upstream) => upstream.stop()))
  await world.close()
})

const QUERY = "/metrics/api/v1/query?query=1"

test("a tenant's token leads to that tenant's backend, whatever tenant it names; another's is as one that never was", async () => {
  const [ofAlice, ofBob] = [await start("alice"), await start("bob")]
  const alice = await world.tenantWith("alice", [{ url: ofAlice.url }])
  await world.tenantWith("bob", [{ url: ofBob.url }])
  expect((await world.route(alice.tokens.viewer, QUERY)).text).toBe('"alice"')
  expect((await world.route(alice.tokens.viewer, QUERY, { tenant: "alice" })).text).toBe('"alice"')
  const never = await world.route(alice.tokens.viewer, QUERY, { tenant: "nobody" })
  for (const tenant of [
    "bob",
    "BOB",
    "bob,alice",
    "alice, bob",
    "~platform",
    "~tier.Free",
    "bob/../alice",
    "",
  ]) {
    const answer = await world.route(alice.tokens.viewer, QUERY, { tenant })
    expect([answer.status, answer.text], tenant).toEqual([404, never.text.replaceAll("nobody", tenant)])
  }
  for (const path of ["/metrics/../../../route/metrics/api/v1/query", "/metrics/%2e%2e/api/v1/query"])
    expect((await world.route(alice.tokens.viewer, path)).body.code).toBe("BACKEND_PATH_FORBIDDEN")
  expect(ofBob.heard).toEqual([])
})

test("who is for several tenants says which; the platform's token reaches each by its name or an external id", async () => {
  const [one, two] = [await start("one"), await start("two")]
  await world.tenantWith("several-1", [{ url: one.url }])
  await world.tenantWith("several-2", [{ url: two.url }])
  await must(
    world.call("PATCH", "/api/v1/tenants/several-2", { body: { externalIds: { discord: "42" } } }),
    200,
  )
  const ask = (tenant?: string) =>
    world.route(world.adminToken, QUERY, tenant === undefined ? {} : { tenant })
  expect((await ask()).body.code).toBe("TENANT_UNNAMED")
  expect((await ask("several-1")).text).toBe('"one"')
  expect((await ask("discord:42")).text).toBe('"two"')
  expect((await ask("discord:43")).body.code).toBe("TENANT_NOT_FOUND")
})

test("two tenants at one address share neither connections nor credentials, however their requests mingle", async () => {
  const shared = await start("shared")
  const tenants = await Promise.all(
    ["mingled-1", "mingled-2", "mingled-3"].map(async (tenantId, nth) => {
      const credentials = { type: "bearer", token: `token-of-${tenantId}` }
      const tenancy = { accountId: nth + 1 }
      const tenant = await world.tenantWith(tenantId, [{ url: shared.url }], { credentials, tenancy })
      return { ...tenant, account: nth + 1 }
    }),
  )
  await Promise.all(
    Array.from({ length: 8 }, () => tenants)
      .flat()
      .map(({ tokens }) => world.route(tokens.viewer, QUERY)),
  )
  const byConnection = new Map<number, Set<string>>()
  for (const { url, headers, connection } of shared.heard) {
    const account = /^\/select\/(\d)\//.exec(url)![1]
    expect(headers.authorization).toBe(`Bearer token-of-mingled-${account}`)
    byConnection.set(connection, (byConnection.get(connection) ?? new Set()).add(account!))
  }
  expect(shared.heard).toHaveLength(24)
  expect([...byConnection.values()].every((accounts) => accounts.size === 1)).toBe(true)
})

test("what is altered is in force with the next request, and one that began before ends where it began", async () => {
  const [before, after] = [await start("before"), await start("after")]
  const { tokens, tenantId } = await world.tenantWith("altered", [{ url: before.url }])
  const begun = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  before.answer = (response) => {
    begun.resolve()
    goOn.promise.then(() => response.end("begun before"))
  }
  const early = world.route(tokens.viewer, QUERY)
  await begun.promise
  await must(world.put(tenantId, { metrics: { targets: [{ url: after.url }] } }), 200)
  expect((await world.route(tokens.viewer, QUERY)).text).toBe('"after"')
  goOn.resolve()
  expect((await early).text).toBe("begun before")
  await must(world.put(tenantId, {}), 200)
  expect((await world.route(tokens.viewer, QUERY)).body.code).toBe("BACKEND_NOT_FOUND")
})

test("while a tenant's backends are altered again and again, none of its requests takes one's credentials to the other", async () => {
  const [left, right] = [await start("left"), await start("right")]
  const { tokens, tenantId } = await world.tenantWith("raced", [{ url: left.url }])
  const set = (side: Upstream, name: string) =>
    must(
      world.put(tenantId, {
        metrics: { targets: [{ url: side.url }], credentials: { type: "bearer", token: name } },
      }),
      200,
    )
  left.heard.length = 0
  await set(left, "left")
  const altering = async () => {
    for (let nth = 0; nth < 6; nth++)
      await set(...((nth % 2 === 0 ? [right, "right"] : [left, "left"]) as [Upstream, string]))
  }
  const asking = async () => {
    for (let nth = 0; nth < 8; nth++) expect((await world.route(tokens.viewer, QUERY)).status).toBe(200)
  }
  await Promise.all([altering(), asking(), asking(), asking()])
  for (const [side, name] of [
    [left, "left"],
    [right, "right"],
  ] as const)
    expect(new Set(side.heard.map(({ headers }) => headers.authorization))).toEqual(
      new Set([`Bearer ${name}`]),
    )
})

test("a deleted or suspended tenant's backend is reached by nobody of it any more, nor with a token that was revoked", async () => {
  const backend = await start("gone")
  const { tokens, tenantId, issue } = await world.tenantWith("leaving", [{ url: backend.url }])
  const app = await issue("app", ["reader"], "Production")
  const write = () => world.route(app, "/metrics/api/v1/import", { method: "POST", body: "{}" })
  expect((await write()).status).toBe(200)
  await must(world.call("POST", `/api/v1/tenants/${tenantId}/suspend`), 200)
  expect([(await write()).body.code, (await world.route(tokens.viewer, QUERY)).body.code]).toEqual([
    "TENANT_SUSPENDED",
    "TENANT_SUSPENDED",
  ])
  await must(world.call("POST", `/api/v1/tenants/${tenantId}/resume`), 200)
  const { items } = (
    await world.call<{ items: { tokenId: string; subject: string }[] }>(
      "GET",
      `/api/v1/tenants/${tenantId}/tokens`,
    )
  ).body
  const { tokenId } = items.find(({ subject }) => subject === "app")!
  await must(world.call("DELETE", `/api/v1/tenants/${tenantId}/tokens/${tokenId}`), 200)
  expect((await write()).status).toBe(401)
  await must(world.call("DELETE", `/api/v1/tenants/${tenantId}`), 200)
  expect((await world.route(world.adminToken, QUERY, { tenant: tenantId })).body.code).toBe(
    "TENANT_NOT_FOUND",
  )
  expect(backend.heard).toHaveLength(1)
})

test("who may do what at a backend", async () => {
  const backend = await start("matrix")
  const { tokens, issue } = await world.tenantWith("matrix", [{ url: backend.url }])
  const all = {
    ...tokens,
    reader: await issue("app", ["reader"], "QA"),
    "viewer of QA": await issue("bound", ["viewer"], "QA"),
    "engineer of QA": await issue("bound-too", ["engineer"], "QA"),
  }
  const may = async (token: string) => {
    const query = await world.route(token, QUERY)
    const write = await world.route(token, "/metrics/api/v1/import", { method: "POST", body: "{}" })
    return `${query.status === 200 ? "query" : query.body.code} ${write.status === 200 ? "write" : write.body.code}`
  }
  const found = await Promise.all(Object.entries(all).map(async ([who, token]) => [who, await may(token)]))
  expect(Object.fromEntries(found)).toEqual({
    viewer: "query FORBIDDEN",
    engineer: "query write",
    manager: "query FORBIDDEN",
    compliance: "query FORBIDDEN",
    tenant_admin: "query write",
    reader: "FORBIDDEN write",
    "viewer of QA": "FORBIDDEN FORBIDDEN",
    "engineer of QA": "FORBIDDEN write",
  })
  for (const token of [null, "nonsense"])
    expect((await world.route(token, QUERY)).body.code).toBe("UNAUTHENTICATED")
})

test("what is no request for a backend is refused as what it is, and nothing is sent", async () => {
  const backend = await start("untouched")
  const { tokens } = await world.tenantWith("refused", [{ url: backend.url }])
  const ask = async (path: string, method = "GET") =>
    (await world.route(tokens.tenant_admin, path, { method })).body.code
  expect(await ask("/profiles/api/v1/query")).toBe("ROUTE_UNKNOWN")
  expect(await ask("/metrics")).toBe("ROUTE_UNKNOWN")
  expect(await ask("/logs/select/logsql/query")).toBe("BACKEND_NOT_FOUND")
  expect(await ask("/metrics/snapshot/create")).toBe("BACKEND_PATH_FORBIDDEN")
  expect(await ask("/metrics/api/v1/query", "DELETE")).toBe("METHOD_NOT_ALLOWED")
  expect(await ask("/metrics/api/v1/import", "GET")).toBe("METHOD_NOT_ALLOWED")
  expect(await ask("/metrics/api/v1/query?query=a b")).toBe("QUERY_INVALID")
  expect(backend.heard).toEqual([])
})

test("a name is judged for every connection: one that leads inside by now leads nowhere", async () => {
  const backend = await start("inside")
  const port = new URL(backend.url).port
  const { tokens, tenantId } = await world.tenant("rebound", "Pro")
  names = { "vm.example.com": ["93.184.215.14"] }
  const targets = [{ url: `https://vm.example.com:8428` }]
  await must(world.put(tenantId, { metrics: { targets } }, tokens.tenant_admin), 200)
  for (const addresses of [["127.0.0.1"], ["169.254.169.254"], ["93.184.215.14", "127.0.0.1"], ["::1"]]) {
    names = { "vm.example.com": addresses }
    const answer = await world.route(tokens.viewer, QUERY)
    expect([answer.status, answer.body.code, answer.body.detail], addresses.join()).toEqual([
      503,
      "BACKEND_UNREACHABLE",
      "The host does not resolve to addresses that may be reached.",
    ])
    world.moveClock(60_000)
  }
  // By the platform's word it may: then the same name is followed.
  names = { "vm.example.com": ["127.0.0.1"] }
  await must(world.put(tenantId, { metrics: { targets: [{ url: `http://vm.example.com:${port}` }] } }), 200)
  expect((await world.route(tokens.viewer, QUERY)).text).toBe('"inside"')
})
