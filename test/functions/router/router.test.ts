import { afterAll, beforeAll, expect, test } from "vitest"
import { must } from "../manage/world.ts"
import { createRouterWorld, type RouterWorld, startUpstream, type Upstream } from "./world.ts"

let world: RouterWorld
const upstreams: Upstream[] = []
const start = async (...args: Parameters<typeof startUpstream>): Promise<Upstream> => {
  const upstream = await startUpstream(...args)
  upstreams.push(upstream)
  return upstream
}
beforeAll(async () => {
  world = await createRouterWorld()
})
afterAll(async () => {
  await Promise.all(upstreams.map((upstream) => upstream.stop().catch(() => {})))
  await world.close()
})

/** An address where nobody listens any more. */
const nobody = async (): Promise<string> => {
  const gone = await startUpstream("gone")
  await gone.stop()
  return gone.url
}

let tenants = 0
const tenantWith = (targets: readonly object[], more?: object) =>
  world.tenantWith(`routed-${++tenants}`, targets, more)

test("a query reaches the tenant's backend as it was asked, and its answer comes back as it was given", async () => {
  const backend = await start("metrics")
  const { tokens } = await tenantWith([{ url: `${backend.url}/base` }])
  backend.answer = (response) =>
    response.writeHead(422, { "content-type": "application/json", "retry-after": "7" }).end('{"error":"no"}')
  const answer = await world.route(tokens.viewer, "/metrics/api/v1/query?query=up%7B%7D&time=1")
  expect([answer.status, answer.text, answer.headers.get("retry-after")]).toEqual([
    422,
    '{"error":"no"}',
    "7",
  ])
  expect(backend.heard).toMatchObject([{ method: "GET", url: "/base/api/v1/query?query=up%7B%7D&time=1" }])
})

test("a backend hears nothing of a caller's credentials, address or tenant, and a caller nothing of the backend itself", async () => {
  const backend = await start("metrics")
  const { tokens, tenantId } = await tenantWith([{ url: backend.url }])
  backend.answer = (response) =>
    response
      .writeHead(200, {
        "content-type": "text/html",
        "set-cookie": "a=b",
        server: "victoria",
        "x-server-hostname": "vm-0.internal",
        "access-control-allow-origin": "*",
        "strict-transport-security": "max-age=1",
      })
      .end("<script>")
  const headers = {
    cookie: "session=1",
    connection: "x-secret, keep-alive",
    "x-secret": "1",
    "x-forwarded-for": "192.0.2.7",
    "hotswap-edge": "nobody's",
    "hotswap-client": "192.0.2.7",
    accountid: "9",
    projectid: "9",
    "accept-encoding": "gzip",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  }
  const answer = await world.route(tokens.viewer, "/metrics/api/v1/labels", { headers, tenant: tenantId })
  const { host, connection, "user-agent": agent, ...heard } = backend.heard[0]!.headers
  expect(agent).toBe("Hotswap")
  expect(heard).toEqual({ traceparent: headers.traceparent })
  expect(Object.fromEntries(answer.headers)).toEqual({
    "content-type": "text/html",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "hotswap-request-id": "request-1",
  })
})

test("what a tenant writes arrives whole, with its encoding", async () => {
  const backend = await start("metrics")
  const { issue } = await tenantWith([{ url: backend.url }])
  const app = await issue("app", ["reader"], "Production")
  backend.answer = (response) => void response.writeHead(204).end()
  const answer = await world.route(app, "/metrics/api/v1/import/prometheus", {
    method: "POST",
    body: "a_total 1\n",
    headers: { "content-type": "text/plain", "content-encoding": "identity" },
  })
  expect(answer.status).toBe(204)
  expect(backend.heard[0]).toMatchObject({
    method: "POST",
    body: "a_total 1\n",
    headers: { "content-length": "10", "content-type": "text/plain", "content-encoding": "identity" },
  })
})

test("a backend is entered with the tenant's credentials, and addressed as its tenancy says", async () => {
  const backend = await start("logs")
  const { tenantId, tokens } = await world.tenant(`routed-${++tenants}`, "Pro")
  const targets = [{ url: backend.url }]
  const tenancy = { accountId: 12, projectId: 3 }
  const basic = { type: "basic", username: "hotswap", password: "pass:wörd" }
  const bearer = { type: "bearer", token: "the-token" }
  await must(
    world.put(tenantId, {
      metrics: { targets, tenancy, credentials: bearer },
      logs: { targets, tenancy, credentials: basic },
    }),
    200,
  )
  await world.route(tokens.viewer, "/metrics/api/v1/query?query=1")
  await world.route(tokens.engineer, "/logs/insert/jsonline", {
    method: "POST",
    body: "{}",
    headers: { "vl-msg-field": "message" },
  })
  const [metrics, logs] = backend.heard
  expect(metrics).toMatchObject({
    url: "/select/12:3/prometheus/api/v1/query?query=1",
    headers: { authorization: "Bearer the-token" },
  })
  expect(metrics!.headers).not.toHaveProperty("accountid")
  expect(logs!.headers).toMatchObject({
    authorization: `Basic ${Buffer.from("hotswap:pass:wörd").toString("base64")}`,
    accountid: "12",
    projectid: "3",
    "vl-msg-field": "message",
  })
})

test("when a target is gone, queries and writes go on at the next, and from then on there first", async () => {
  const first = await start("first")
  const second = await start("second")
  const { tokens } = await tenantWith([{ url: first.url }, { url: second.url }])
  const ask = async () => (await world.route(tokens.viewer, "/metrics/api/v1/query?query=1")).text
  const write = () => world.route(tokens.engineer, "/metrics/api/v1/import", { method: "POST", body: "{}" })
  expect(await ask()).toBe('"first"')
  await first.stop()
  expect(await ask()).toBe('"second"')
  expect((await write()).text).toBe('"second"')
  expect(second.heard).toHaveLength(2)
})

test("the nearest target is asked, and one that is for writing only for nothing else", async () => {
  const [far, near, writing] = [await start("far"), await start("near"), await start("writing")]
  const { tokens } = await tenantWith([
    { url: far.url, region: "us-east-1" },
    { url: writing.url, region: "eu-central-1", use: "write", priority: 1 },
    { url: near.url, region: "eu-central-1", priority: 2 },
  ])
  const query = await world.route(tokens.viewer, "/metrics/api/v1/query?query=1")
  const written = await world.route(tokens.engineer, "/metrics/api/v1/write", { method: "POST", body: "x" })
  expect([query.text, written.text]).toEqual(['"near"', '"writing"'])
})

test("a query that broke off is asked elsewhere; what was written and broke off is not written twice", async () => {
  const breaking = await start("breaking")
  const other = await start("other")
  breaking.answer = (response) => void response.destroy()
  const { tokens } = await tenantWith([{ url: breaking.url }, { url: other.url }])
  const write = await world.route(tokens.engineer, "/metrics/api/v1/import", { method: "POST", body: "{}" })
  expect([write.status, write.body.code]).toEqual([502, "BACKEND_FAILED"])
  expect(other.heard).toEqual([])
  world.moveClock(60_000)
  const query = await world.route(tokens.viewer, "/metrics/api/v1/query", { method: "POST", body: "query=1" })
  expect([query.status, query.text]).toEqual([200, '"other"'])
  expect(breaking.heard).toHaveLength(2)
})

test("a target that says it is busy is left for another by a query; a write hears what it said", async () => {
  const busy = await start("busy")
  const other = await start("other")
  busy.answer = (response) => void response.writeHead(503).end("busy")
  const { tokens } = await tenantWith([{ url: busy.url }, { url: other.url }])
  expect((await world.route(tokens.viewer, "/metrics/api/v1/labels")).text).toBe('"other"')
  const write = await world.route(tokens.engineer, "/metrics/api/v1/import", { method: "POST", body: "{}" })
  expect([write.status, write.text]).toEqual([503, "busy"])
})

test("a backend that turns our credentials away, or redirects, is nothing that a caller hears as his own", async () => {
  const backend = await start("closed")
  const { tokens } = await tenantWith([{ url: backend.url }])
  for (const status of [401, 403, 407, 302, 308]) {
    backend.answer = (response) =>
      void response
        .writeHead(status, { location: "http://169.254.169.254/", "www-authenticate": "Basic" })
        .end()
    const answer = await world.route(tokens.viewer, "/metrics/api/v1/labels")
    expect([answer.status, answer.body.code, answer.headers.get("location")]).toEqual([
      502,
      "BACKEND_FAILED",
      null,
    ])
    expect(answer.headers.has("www-authenticate")).toBe(false)
  }
  expect(backend.heard).toHaveLength(5)
})

test("where no target is there, the caller hears that nothing was sent, and when to come again", async () => {
  const { tokens } = await tenantWith([{ url: await nobody() }, { url: await nobody() }])
  const answer = await world.route(tokens.engineer, "/metrics/api/v1/import", { method: "POST", body: "{}" })
  expect([answer.status, answer.body.code, answer.headers.get("retry-after")]).toEqual([
    503,
    "BACKEND_UNREACHABLE",
    "5",
  ])
})

test("a backend that does not answer in its time is given up, and its connection with it", async () => {
  const silent = await start("silent")
  const closed = Promise.withResolvers<void>()
  silent.answer = (_response, _heard, request) => void request.socket.once("close", () => closed.resolve())
  const { tokens } = await tenantWith([{ url: silent.url }], { timeoutMs: 150 })
  const answer = await world.route(tokens.viewer, "/metrics/api/v1/labels")
  expect([answer.status, answer.body.code]).toEqual([504, "BACKEND_TIMEOUT"])
  await closed.promise
})

test("an answer arrives as it is made, and one that breaks off or falls silent does not end as if it were whole", async () => {
  const backend = await start("slow")
  const { tokens } = await tenantWith([{ url: backend.url }], { timeoutMs: 1_500 })
  const goOn = Promise.withResolvers<void>()
  backend.answer = (response) => {
    response.writeHead(200).write("first")
    goOn.promise.then(() => response.end("second"))
  }
  const event = world.routeEvent(tokens.viewer, "/metrics/api/v1/export")
  const pieces = (await world.router(event, world.context)).pieces![Symbol.asyncIterator]()
  expect(String((await pieces.next()).value)).toBe("first")
  goOn.resolve()
  expect(String((await pieces.next()).value)).toBe("second")
  expect((await pieces.next()).done).toBe(true)

  backend.answer = (response) => void response.writeHead(200).write("half", () => response.destroy())
  await expect(world.route(tokens.viewer, "/metrics/api/v1/export")).rejects.toThrow()
  backend.answer = (response) => void response.writeHead(200).write("half")
  await expect(world.route(tokens.viewer, "/metrics/api/v1/export")).rejects.toThrow("fell silent")
})

test("whoever stops reading ends it at the backend, too", async () => {
  const backend = await start("endless")
  const { tokens } = await tenantWith([{ url: backend.url }])
  const closed = Promise.withResolvers<void>()
  backend.answer = (response) => {
    response.once("close", () => closed.resolve())
    response.writeHead(200).write("first")
  }
  const { pieces } = await world.router(
    world.routeEvent(tokens.viewer, "/metrics/api/v1/export"),
    world.context,
  )
  for await (const _first of pieces!) break
  await closed.promise
})

test("HEAD is answered by a head", async () => {
  const backend = await start("head")
  const { tokens } = await tenantWith([{ url: backend.url }])
  const answer = await world.route(tokens.viewer, "/metrics/api/v1/labels", { method: "HEAD" })
  expect([answer.status, answer.text, backend.heard[0]?.method]).toEqual([200, "", "HEAD"])
})

test("one connection serves a tenant's requests one after the other", async () => {
  const backend = await start("kept")
  const { tokens } = await tenantWith([{ url: backend.url }])
  for (let nth = 0; nth < 5; nth++) await world.route(tokens.viewer, "/metrics/api/v1/labels")
  expect(backend.connections()).toBe(1)
})

test("a connection that lay idle is not written to: the function may have been frozen over it", async () => {
  const backend = await start("idle")
  const { tokens } = await tenantWith([{ url: backend.url }])
  await world.route(tokens.viewer, "/metrics/api/v1/labels")
  world.moveClock(60_000)
  await world.route(tokens.viewer, "/metrics/api/v1/labels")
  expect(backend.heard.map(({ connection }) => connection)).toEqual([1, 2])
})
