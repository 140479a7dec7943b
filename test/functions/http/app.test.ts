import { z } from "@hono/zod-openapi"
import { beforeEach, describe, expect, test } from "vitest"
import { Refusal } from "../../../core/errors.ts"
import { type App, createApp, functionUrlHandler } from "../../../functions/http/app.ts"
import type { Door } from "../../../functions/http/auth.ts"
import { decodeCursor, encodeCursor } from "../../../functions/http/cursor.ts"
import { json, type Route, route } from "../../../functions/http/route.ts"
import { hashToken } from "../../../functions/http/tokens.ts"
import { CONTEXT, eventOf } from "../manage/world.ts"

const TOKEN = "a-start-up-token-of-a-test"
const AUTHORISED = { authorization: `Bearer ${TOKEN}` }

const door: Door = {
  startupTokenHash: hashToken(TOKEN),
  findToken: async () => null,
  verifyReader: async () => null,
  now: () => new Date(0),
}

const echo = route({
  method: "post",
  path: "/echo",
  operationId: "echo",
  tag: "Test",
  summary: "Says it again",
  action: "tenant.list",
  body: z.strictObject({ value: z.unknown() }),
  replies: { 200: { description: "The same" } },
  run: async ({ body }) => json(200, body.value),
})
const fails = (error: unknown) =>
  route({
    method: "get",
    path: "/fails",
    operationId: "fails",
    tag: "Test",
    summary: "Does not work",
    action: null,
    replies: { 200: { description: "Never" } },
    run: async () => {
      throw error
    },
  })

let logged: [string, Record<string, unknown>][]
const appOf = (...routes: Parameters<typeof createApp>[1]): App => appWith({}, ...routes)
const appWith = (
  more: Partial<Parameters<typeof createApp>[0]>,
  ...routes: Parameters<typeof createApp>[1]
): App =>
  createApp(
    {
      door,
      log: { error: (message, fields) => void logged.push([message, fields]) },
      newId: () => "an-id",
      requestKey: new Uint8Array(32),
      resolveScope: async () => null,
      exists: async () => true,
      attempts: { failed: () => false, isFlood: () => false },
      edgeSecret: null,
      corsOrigins: [],
      publicRoutes: ["GET /fails", "GET /ok"],
      ...more,
    },
    routes,
  )
beforeEach(() => {
  logged = []
})

describe("the door of a function", () => {
  test("tells nothing of an error nobody foresaw, and logs it under the instance that it tells", async () => {
    const secret = new Error("password=hunter2")
    const response = await appOf(fails(secret)).request("/fails")
    expect(response.status).toBe(500)
    const text = await response.text()
    expect(text).not.toContain("hunter2")
    expect(JSON.parse(text)).toMatchObject({
      code: "INTERNAL",
      instance: "an-id",
      type: "/docs/errors#INTERNAL",
    })
    expect(logged).toEqual([["unforeseen error", { instance: "an-id", error: secret }]])
  })

  test("tells a refusal with its headers and whatever it carries", async () => {
    const refusal = new Refusal("ORIGIN_UNAVAILABLE", "Not now.", { extra: { draft: { a: 1 } } })
    const response = await appOf(fails(refusal)).request("/fails")
    expect(response.headers.get("retry-after")).toBe("1")
    expect(await response.json()).toMatchObject({ detail: "Not now.", draft: { a: 1 }, status: 503 })
    expect(logged).toEqual([])
  })

  test("asks who it is before it reads what is wanted", async () => {
    const response = await appOf(echo).request("/echo", { method: "POST", body: "{" })
    expect(response.status).toBe(401)
    expect(response.headers.get("www-authenticate")).toContain("Bearer")
  })

  test.each([
    "application/json",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "nonsense",
  ])("reads JSON that is called %s", async (type) => {
    const headers = { ...AUTHORISED, "content-type": type }
    const response = await appOf(echo).request("/echo", { method: "POST", headers, body: '{"value":[1]}' })
    expect(await response.json()).toEqual([1])
  })

  test("counts a body as it comes, and stops reading when there is too much of it", async () => {
    let pulled = 0
    const body = new ReadableStream({
      pull: (controller) => {
        pulled++
        if (pulled > 1_000) controller.close()
        else controller.enqueue(new Uint8Array(1024 * 1024).fill(0x20))
      },
    })
    const request = new Request("http://test/echo", {
      method: "POST",
      headers: AUTHORISED,
      body,
      duplex: "half",
    } as never)
    const response = await appOf(echo).request(request)
    expect(response.status).toBe(413)
    expect(pulled).toBeLessThan(20)
  })

  test("takes the runtime's request id, and a body in base64", async () => {
    const handler = functionUrlHandler(appOf(echo))
    const event = eventOf("POST", "/echo", {
      headers: AUTHORISED,
      body: btoa('{"value":"é"}'),
      requestId: "from-lambda",
    })
    const sent = { ...event, body: Buffer.from('{"value":"é"}').toString("base64"), isBase64Encoded: true }
    const result = await handler(sent, CONTEXT)
    expect(result).toMatchObject({ statusCode: 200, body: '"é"', isBase64Encoded: false })
    expect(result.headers["hotswap-request-id"]).toBe("from-lambda")
  })

  test("answers HEAD as GET without its body", async () => {
    const ok = route({
      method: "get",
      path: "/ok",
      operationId: "ok",
      tag: "Test",
      summary: "Works",
      action: null,
      replies: { 200: { description: "It works" } },
      run: async () => json(200, { ok: true }),
    })
    const result = await functionUrlHandler(appOf(ok))(eventOf("HEAD", "/ok"), CONTEXT)
    expect(result).toMatchObject({ statusCode: 200, body: "" })
  })
})

test("a route that names no action of the table does not start", () => {
  const nameless = {
    ...echo,
    operationId: "x",
    tag: "x",
    summary: "x",
    replies: {},
    run: async () => json(200, {}),
  }
  expect(() => route({ ...nameless, path: "/x", method: "get", action: "tenant.fly" as never })).toThrow(
    "names no action",
  )
})

test("a route of no action starts only if it is known to be public, and none stands behind another", () => {
  const open = fails(new Error())
  expect(() => appWith({ publicRoutes: [] }, open)).toThrow("GET /fails is neither")
  expect(() => appOf({ ...echo, action: "tenant.fly" as never })).toThrow("POST /echo is neither")
  expect(() => appOf({ ...echo, action: "__proto__" as never })).toThrow("POST /echo is neither")
  expect(() => appOf(echo, echo)).toThrow("POST /echo is declared twice")
})

describe("a route that is loaded when it is first asked for", () => {
  const later = (load: () => Promise<Route>) => ({ method: "POST", path: "/echo", load })
  const ask = (app: App) => app.request("/echo", { method: "POST", headers: AUTHORISED, body: '{"value":1}' })

  test("answers as any other, all who ask at once too, and nobody loads it before", async () => {
    let loads = 0
    const app = appOf(
      later(async () => {
        loads++
        return echo
      }),
    )
    expect((await app.request("/echo")).status).toBe(405)
    expect((await app.request("/elsewhere")).status).toBe(404)
    expect(loads).toBe(0)
    const answers = await Promise.all([ask(app), ask(app)])
    expect(await Promise.all(answers.map((answer) => answer.json()))).toEqual([1, 1])
  })

  test("is tried again by the next to ask where it could not be loaded", async () => {
    let loads = 0
    const app = appOf(
      later(async () => {
        if (++loads === 1) throw new Error("there is no such file")
        return echo
      }),
    )
    expect(await (await ask(app)).json()).toMatchObject({ code: "INTERNAL" })
    expect(await (await ask(app)).json()).toBe(1)
  })

  test("answers nobody where it is neither in the table of permissions nor public", async () => {
    const secret = { ...echo, action: null, handle: async () => json(200, "told") }
    expect(await (await ask(appOf(later(async () => secret)))).json()).toMatchObject({ code: "INTERNAL" })
  })
})

describe("web pages", () => {
  const MINE = "https://console.example.com"
  const corsOrigins = [MINE]
  const preflight = (app: App, origin: string) =>
    app.request("/echo", {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
      },
    })
  const called = (app: App, origin: string) =>
    app.request("/echo", { method: "POST", headers: { origin }, body: "{}" })

  test("of an origin that is named may call, and read refusals too", async () => {
    const app = appWith({ corsOrigins }, echo)
    const asked = await preflight(app, MINE)
    expect(asked.status).toBe(204)
    expect(asked.headers.get("access-control-allow-origin")).toBe(MINE)
    expect(asked.headers.get("access-control-allow-headers")).toContain("Authorization")
    expect(asked.headers.get("access-control-allow-credentials")).toBeNull()
    const answer = await called(app, MINE)
    expect(answer.status).toBe(401)
    expect(answer.headers.get("access-control-allow-origin")).toBe(MINE)
    expect(answer.headers.get("vary")).toContain("Origin")
  })

  test.each([
    "https://console.example.com.evil.example",
    "https://evil-console.example.com",
    "http://console.example.com",
    "https://console.example.com:8443",
    "https://CONSOLE.example.com",
    "https://example.com",
    "null",
    "*",
    "",
  ])("of the origin %j may not", async (origin) => {
    const app = appWith({ corsOrigins }, echo)
    for (const answer of [await preflight(app, origin), await called(app, origin)]) {
      expect(answer.headers.get("access-control-allow-origin")).toBeNull()
      expect(answer.headers.get("vary")).toContain("Origin")
    }
  })

  test("may not call at all unless some are named", async () => {
    const answers = [await preflight(appOf(echo), MINE), await called(appOf(echo), MINE)]
    for (const { headers } of answers) expect(headers.get("access-control-allow-origin")).toBeNull()
  })
})

test("a cursor leads back to where it came from, and to no other list", () => {
  const cursor = encodeCursor("things", ["a/ü", 7])
  expect(decodeCursor("things", cursor, 2)).toEqual(["a/ü", 7])
  for (const [list, text, length] of [
    ["others", cursor, 2],
    ["things", cursor, 1],
    ["things", `${cursor}x`, 2],
    ["things", "e30", 2],
    ["things", "", 2],
  ] as const)
    expect(() => decodeCursor(list, text, length)).toThrow(Refusal)
})
