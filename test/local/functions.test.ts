import { request } from "node:http"
import { afterEach, expect, test } from "vitest"
import type { FunctionUrlEvent, FunctionUrlResult, StreamResult } from "../../functions/http/events.ts"
import { requestTime } from "../../local/function-event.ts"
import {
  type FunctionHost,
  type HostedFunction,
  MAX_BODY_BYTES,
  startFunctionHost,
} from "../../local/functions.ts"
import { awslambda } from "../../local/streamified.ts"

type Handler = HostedFunction["handler"]
const logged: string[] = []
const log = { error: (message: string) => void logged.push(message) }
let host: FunctionHost | null = null
afterEach(async () => {
  await host?.stop(0)
  host = null
  logged.length = 0
})

const serve = async (handler: Handler, timeoutMs = 10_000): Promise<string> => {
  host = await startFunctionHost({ route: () => ({ handler, timeoutMs }), port: 0, log })
  return host.url
}
const ok = (body: string, more: Partial<FunctionUrlResult> = {}): FunctionUrlResult => ({
  statusCode: 200,
  headers: { "content-type": "application/json" },
  body,
  isBase64Encoded: false,
  ...more,
})
/** A handler that answers with the event it was given. */
const echo: Handler = async (event) =>
  ok(
    JSON.stringify({
      ...event,
      requestContext: {
        ...event.requestContext,
        time: event.requestContext.time,
        http: {
          ...event.requestContext.http,
          protocol: event.requestContext.http.protocol,
          sourceIp: event.requestContext.http.sourceIp,
          userAgent: event.requestContext.http.userAgent,
        },
      },
      domainName: event.requestContext.domainName,
      requestId: event.requestContext.requestId,
    }),
  )

test("path and query reach the function as they were sent, nothing decoded", async () => {
  const url = await serve(echo)
  const event = (await (await fetch(`${url}/api/v1/a%2Fb/%C3%BC?x=1&x=2&y=%20+z`)).json()) as FunctionUrlEvent
  expect(event).toMatchObject({
    version: "2.0",
    routeKey: "$default",
    rawPath: "/api/v1/a%2Fb/%C3%BC",
    rawQueryString: "x=1&x=2&y=%20+z",
    isBase64Encoded: false,
  })
  expect(event.body).toBeUndefined()
  expect((await (await fetch(`${url}/plain`)).json()) as FunctionUrlEvent).toMatchObject({
    rawQueryString: "",
  })
})

test("header names are in lower case, repeated headers joined, cookies apart", async () => {
  const url = new URL(await serve(echo))
  const event = await new Promise<FunctionUrlEvent>((resolve, reject) => {
    const call = request({ host: url.hostname, port: url.port, path: "/" }, async (answer) => {
      resolve(JSON.parse(Buffer.concat(await answer.toArray()).toString()) as FunctionUrlEvent)
    })
    call.on("error", reject)
    call.setHeader("X-Many", ["a", "b"])
    call.setHeader("Cookie", "one=1; two=2")
    call.setHeader("IF-NONE-MATCH", 'W/"x"')
    call.end()
  })
  expect(event.headers).toMatchObject({ "x-many": "a, b", "if-none-match": 'W/"x"' })
  expect(event.cookies).toEqual(["one=1", "two=2"])
})

test("the request's context says who called what and when", async () => {
  const url = await serve(echo)
  const answer = await fetch(`${url}/somewhere`, { method: "PUT", headers: { "user-agent": "test/1" } })
  const event = (await answer.json()) as FunctionUrlEvent & { requestId: string; domainName: string }
  expect(event.requestContext).toMatchObject({
    http: {
      method: "PUT",
      path: "/somewhere",
      protocol: "HTTP/1.1",
      sourceIp: "127.0.0.1",
      userAgent: "test/1",
    },
    stage: "$default",
    time: expect.stringMatching(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/),
  })
  expect(event.requestId).toMatch(/^[0-9a-f-]{36}$/)
  expect(event.domainName).toBe(new URL(url).host)
})

test("the time of a request is written as Lambda writes it", () => {
  expect(requestTime(Date.UTC(2026, 7, 6, 9, 5, 1))).toBe("06/Aug/2026:09:05:01 +0000")
})

test.each([
  ["application/json", "text"],
  ["application/problem+json; charset=utf-8", "text"],
  ["text/plain", "text"],
  ["application/x-www-form-urlencoded", "base64"],
  ["application/octet-stream", "base64"],
])("a body of %s comes as %s", async (type, form) => {
  const url = await serve(echo)
  const answer = await fetch(url, { method: "POST", body: '{"grün":1}', headers: { "content-type": type } })
  const event = (await answer.json()) as FunctionUrlEvent
  expect(event.isBase64Encoded).toBe(form === "base64")
  expect(form === "base64" ? Buffer.from(event.body!, "base64").toString() : event.body).toBe('{"grün":1}')
})

test("bytes that are no text survive both ways", async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
  const url = await serve(async ({ body }) => ok(body!, { headers: {}, isBase64Encoded: true }))
  const answer = await fetch(url, {
    method: "POST",
    body: bytes,
    headers: { "content-type": "application/json" },
  })
  expect(new Uint8Array(await answer.arrayBuffer())).toEqual(bytes)
})

test("status, headers, cookies and body come back, with the length told in bytes", async () => {
  const url = await serve(async () =>
    ok("grün", { statusCode: 201, headers: { etag: 'W/"v"' }, cookies: ["a=1", "b=2"] }),
  )
  const answer = await fetch(url)
  expect(answer.status).toBe(201)
  expect(answer.headers.get("etag")).toBe('W/"v"')
  expect(answer.headers.getSetCookie()).toEqual(["a=1", "b=2"])
  expect(answer.headers.get("content-length")).toBe("5")
  expect(await answer.text()).toBe("grün")
})

test("a result that is shared between answers stays as it is", async () => {
  const shared = Object.freeze(ok("{}", { headers: Object.freeze({ etag: "x" }) as Record<string, string> }))
  const url = await serve(async () => shared)
  for (let i = 0; i < 2; i++) expect(await (await fetch(url)).text()).toBe("{}")
})

test("a 304 has no length, and HEAD has the length of what GET would bring", async () => {
  const url = await serve(async (event) =>
    event.rawPath === "/304" ? ok("", { statusCode: 304, headers: { etag: "x" } }) : ok("four"),
  )
  const unchanged = await fetch(`${url}/304`)
  expect([unchanged.status, unchanged.headers.get("content-length")]).toEqual([304, null])
  const head = await fetch(url, { method: "HEAD" })
  expect([head.headers.get("content-length"), await head.text()]).toEqual(["4", ""])
})

test.each([
  ["told", (size: number) => new Uint8Array(size)],
  ["counted", (size: number) => new Blob([new Uint8Array(size)]).stream()],
])("a body over the limit, %s, is refused before the function sees it", async (_how, make) => {
  let called = 0
  const url = await serve(async () => {
    called += 1
    return ok("{}")
  })
  const post = (size: number) =>
    fetch(url, { method: "POST", body: make(size), duplex: "half" } as RequestInit)
  expect((await post(MAX_BODY_BYTES)).status).toBe(200)
  const refused = await post(MAX_BODY_BYTES + 1_000_000)
  expect(refused.status).toBe(413)
  expect(await refused.json()).toMatchObject({ code: "BODY_TOO_LARGE" })
  expect(called).toBe(1)
})

test("an answer that Lambda would not pass on does not get through here either", async () => {
  const url = await serve(async ({ rawPath }) => ok("x".repeat(MAX_BODY_BYTES + Number(rawPath.slice(1)))))
  expect((await fetch(`${url}/0`)).status).toBe(200)
  expect((await fetch(`${url}/1`)).status).toBe(500)
})

test("a function that throws answers with a problem that tells nothing, and the log tells all", async () => {
  const url = await serve(() => Promise.reject(new Error("secret detail")))
  const answer = await fetch(url)
  expect(answer.status).toBe(500)
  const text = await answer.text()
  expect(JSON.parse(text)).toMatchObject({ code: "INTERNAL" })
  expect(text).not.toContain("secret detail")
  expect(logged).toEqual(["unforeseen error"])
})

test("a function that does not answer in its time is answered for, and its late result dropped", async () => {
  const late = Promise.withResolvers<FunctionUrlResult>()
  const url = await serve(() => late.promise, 20)
  expect((await fetch(url)).status).toBe(500)
  late.resolve(ok("{}"))
  expect((await fetch(url)).status).toBe(200)
})

test("a function can tell how much of its time is left", async () => {
  const url = await serve(async (_event, context) => ok(String(context.getRemainingTimeInMillis())), 5_000)
  const left = Number(await (await fetch(url)).text())
  expect(left).toBeGreaterThan(0)
  expect(left).toBeLessThanOrEqual(5_000)
})

test("a stream's head and pieces arrive as they come", async () => {
  const next = Promise.withResolvers<void>()
  const body = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from("first")
    await next.promise
    yield Buffer.from("second")
  }
  const url = await serve(
    async (): Promise<StreamResult> => ({ statusCode: 202, headers: { "x-a": "b" }, body: body() }),
  )
  const answer = await fetch(url)
  expect([answer.status, answer.headers.get("x-a")]).toEqual([202, "b"])
  const reader = answer.body!.getReader()
  expect(Buffer.from((await reader.read()).value!).toString()).toBe("first")
  next.resolve()
  expect(Buffer.from((await reader.read()).value!).toString()).toBe("second")
  expect((await reader.read()).done).toBe(true)
})

test("a handler written for Lambda's response streaming streams here as well", async () => {
  const handler = awslambda.streamifyResponse(async (event, stream) => {
    const out = awslambda.HttpResponseStream.from(stream, {
      statusCode: 203,
      headers: { "x-path": event.rawPath },
    })
    out.write("a")
    out.end("b")
  })
  const answer = await fetch(`${await serve(handler)}/there`)
  expect([answer.status, answer.headers.get("x-path"), await answer.text()]).toEqual([203, "/there", "ab"])
})

test("a streaming handler that fails before its head answers with a problem", async () => {
  const handler = awslambda.streamifyResponse(async () => {
    throw new Error("no")
  })
  expect((await fetch(await serve(handler))).status).toBe(500)
})

test("stopping lets a request under way end and takes no new one", async () => {
  const started = Promise.withResolvers<void>()
  const release = Promise.withResolvers<FunctionUrlResult>()
  const url = await serve(() => {
    started.resolve()
    return release.promise
  })
  const underway = fetch(url)
  await started.promise
  const stopped = host!.stop(10_000)
  host = null
  await expect(fetch(url)).rejects.toThrow()
  release.resolve(ok('"done"'))
  expect(await (await underway).text()).toBe('"done"')
  await stopped
})
