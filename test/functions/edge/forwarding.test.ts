import { Agent, request as httpRequest } from "node:http"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { ReaderKeys, RunningEdge } from "../../support/edge.ts"
import { createReaderKeys, startEdge } from "../../support/edge.ts"
import { EDGE_SECRET, type ScriptedOrigin, startOrigin } from "../../support/scripted-origin.ts"

let read: ScriptedOrigin
let manage: ScriptedOrigin
let edge: RunningEdge
let keys: ReaderKeys

beforeAll(async () => {
  read = await startOrigin()
  manage = await startOrigin()
  keys = await createReaderKeys()
  edge = await startEdge({ origin: read.url, manageOrigin: manage.url, jwks: keys.jwks })
})
afterAll(async () => {
  await edge?.dispose()
  await read?.close()
  await manage?.close()
})

test("what is below the views' path goes to the read function whatever its method, all the rest to the manage function", async () => {
  await edge.get("/api/v1/configs/tenant/acme?asOf=2026-01-01", "hs_x")
  await edge.get("/api/v1/configs/acme:Production:a", "hs_x")
  await edge.get("/api/v1/configs/tenant/acme", "hs_x", { method: "PUT", body: "{}" })
  await edge.get("/docs")
  expect(read.calls.map(({ method, path }) => `${method} ${path}`)).toEqual([
    "GET /api/v1/configs/tenant/acme?asOf=2026-01-01",
    "PUT /api/v1/configs/tenant/acme",
  ])
  expect(manage.calls.map(({ method, path }) => `${method} ${path}`)).toEqual([
    "GET /api/v1/configs/acme:Production:a",
    "GET /docs",
  ])
})

test("what clients saw goes to the function that hears it, where that has an origin of its own", async () => {
  const outcomes = await startOrigin()
  const own = await startEdge({
    origin: read.url,
    manageOrigin: manage.url,
    outcomesOrigin: outcomes.url,
    jwks: keys.jwks,
  })
  try {
    await own.get("/api/v1/outcomes", "hsr_x", { method: "POST", body: "{}" })
    await own.get("/api/v1/outcomes/more", "hsr_x")
    await edge.get("/api/v1/outcomes", "hsr_x", { method: "POST", body: "{}" })
    const called = ({ calls }: ScriptedOrigin) =>
      calls.slice(-2).map(({ method, path }) => `${method} ${path}`)
    expect(called(outcomes)).toEqual(["POST /api/v1/outcomes"])
    expect(called(manage)).toEqual(["GET /api/v1/outcomes/more", "POST /api/v1/outcomes"])
  } finally {
    await own.dispose()
    await outcomes.close()
  }
})

test("method, path, query, headers and body arrive unchanged, with the edge's secret for the client's", async () => {
  const path = "/api/v1/changes?tenantId=acme&x=%2F%20&x=2"
  const body = "x".repeat(1_000_000)
  const headers = { "content-type": "application/json", "idempotency-key": "k1", "hotswap-edge": "forged" }
  await edge.get(path, "hs_x", { method: "POST", body, headers })
  const call = manage.calls.at(-1)!
  expect([call.method, call.path, call.body === body]).toEqual(["POST", path, true])
  expect(call.headers).toMatchObject({
    authorization: "Bearer hs_x",
    "content-type": "application/json",
    "content-length": "1000000",
    "idempotency-key": "k1",
    "hotswap-edge": EDGE_SECRET,
  })
})

test("headers of one hop and claims about the hops before are dropped", async () => {
  const { hostname, port } = new URL(edge.url)
  const headers = {
    connection: "close, x-per-hop",
    "x-per-hop": "1",
    te: "trailers",
    "proxy-authorization": "Basic x",
    "x-forwarded-host": "evil.example",
    "x-forwarded-for": "6.6.6.6",
    forwarded: "host=evil.example",
    "x-kept": "1",
  }
  await new Promise<void>((resolve, reject) => {
    httpRequest({ hostname, port, path: "/hops", headers }, (response) =>
      response.resume().on("end", resolve),
    )
      .on("error", reject)
      .end()
  })
  const arrived = manage.calls.at(-1)!.headers
  expect(arrived["x-kept"]).toBe("1")
  for (const name of Object.keys(headers).filter((name) => name !== "connection" && name !== "x-kept"))
    expect(arrived, name).not.toHaveProperty(name)
})

test("a client that asks before it sends, as curl does from a megabyte on, is answered like any other", async () => {
  const { hostname, port } = new URL(edge.url)
  const body = "x".repeat(1_200_000)
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const headers = { expect: "100-continue", "content-length": String(body.length) }
    const request = httpRequest({ method: "POST", hostname, port, path: "/large", headers }, (response) =>
      response.resume().on("end", () => resolve(response.statusCode)),
    )
    // Like curl, it does not wait for ever to be asked for the body.
    request.on("error", reject).end(body)
  })
  const arrived = manage.calls.at(-1)!
  expect([status, arrived.path, arrived.body === body]).toEqual([200, "/large", true])
})

test("the origin is told who calls as Cloudflare says it, whatever the caller says", async () => {
  await edge.get("/who", "hs_x", { headers: { "cf-connecting-ip": "203.0.113.9" } })
  expect(manage.calls.at(-1)!.headers["hotswap-client"]).toBe("203.0.113.9")
  await edge.get("/who", "hs_x", { headers: { "hotswap-client": "203.0.113.10" } })
  expect(manage.calls.at(-1)!.headers["hotswap-client"]).not.toBe("203.0.113.10")
})

test("status and headers come back unchanged, redirects are the client's to follow, and the secret stays", async () => {
  manage.answers("/elsewhere", (_, response) => {
    response
      .writeHead(302, {
        location: "https://elsewhere.example/",
        "hotswap-edge": EDGE_SECRET,
        "keep-alive": "timeout=9",
        "set-cookie": ["a=1", "b=2"],
      })
      .end()
  })
  const response = await edge.get("/elsewhere")
  expect([response.status, response.headers.get("location")]).toEqual([302, "https://elsewhere.example/"])
  expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"])
  expect(response.headers.get("hotswap-edge")).toBeNull()
  expect(response.headers.get("keep-alive")).not.toBe("timeout=9")
})

test("a body is passed on while it is still being written", async () => {
  const arrived = Promise.withResolvers<void>()
  const more = Promise.withResolvers<void>()
  let received = ""
  manage.answers("/upload", (request, response) => {
    request.on("data", (piece) => {
      received += piece
      arrived.resolve()
    })
    request.on("end", () => response.end(received))
  })
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(encoder.encode("first,"))
      await more.promise
      controller.enqueue(encoder.encode("second"))
      controller.close()
    },
  })
  const answer = edge.get("/upload", "hs_x", { method: "POST", body, duplex: "half" } as RequestInit)
  await arrived.promise
  expect(received).toBe("first,")
  more.resolve()
  expect(await (await answer).text()).toBe("first,second")
})

test("what an origin streams arrives as it is sent", async () => {
  const next = Promise.withResolvers<void>()
  manage.answers("/api/v1/audit/export", (_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" })
    response.write("id: 1.0.0.1\nevent: tenant_config\ndata: {}\n\n")
    next.promise.then(() => response.end(": done\n\n"))
  })
  const response = await edge.get("/api/v1/audit/export?tenantId=acme", await keys.issue())
  expect(response.headers.get("content-type")).toBe("text/event-stream")
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  expect((await reader.read()).value).toContain("id: 1.0.0.1")
  next.resolve()
  expect((await reader.read()).value).toContain(": done")
  expect((await reader.read()).done).toBe(true)
})

test("a GET with a body is answered as one without, and so is what follows it on its connection", async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ask = (method: string, body: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const request = httpRequest(new URL("/api/v1/tenants", edge.url), {
        method,
        agent,
        headers: { "content-length": body.length },
      })
      request.on("response", (response) => response.resume().on("end", () => resolve(response.statusCode)))
      request.on("error", reject).end(body)
    })
  const before = manage.calls.length
  const statuses = []
  for (const [method, body] of [
    ["GET", "{}"],
    ["HEAD", "{}"],
    ["GET", "x".repeat(100_000)],
    ["GET", ""],
  ] as const)
    statuses.push(await ask(method, body))
  agent.destroy()
  expect(statuses).toEqual([200, 200, 200, 200])
  expect(manage.calls.slice(before).map(({ body }) => body)).toEqual(["", "", "", ""])
})

test("an origin that cannot be reached is 503 ORIGIN_UNAVAILABLE, and its own 500 stays its own", async () => {
  manage.mode = "down"
  const gone = await edge.get("/api/v1/tenants", "hs_x")
  expect([gone.status, ((await gone.json()) as { code: string }).code]).toEqual([503, "ORIGIN_UNAVAILABLE"])
  manage.mode = "failing"
  const failing = await edge.get("/api/v1/tenants", "hs_x")
  expect([failing.status, await failing.json()]).toEqual([500, { code: "INTERNAL" }])
})
