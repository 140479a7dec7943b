import { once } from "node:events"
import { type IncomingMessage, request } from "node:http"
import { connect } from "node:net"
import { text } from "node:stream/consumers"
import { afterEach, describe, expect, test, vi } from "vitest"
import { TenantContext } from "../../sdk/src/context.ts"
import { byHeader } from "../../sdk/src/middleware/resolve.ts"
import type { RequestMetric, TenantOptions } from "../../sdk/src/middleware/serve.ts"
import { TestLimits, TestTenants } from "../../sdk/src/testing.ts"
import { APPS, type App, type Held } from "./middleware-apps.ts"

const NAMES = Array.from({ length: 100 }, (_, index) => `tenant-${index}`)

describe.each(Object.entries(APPS))("the middleware for %s", (name, makeApp) => {
  const apps: App[] = []
  afterEach(async () => {
    vi.restoreAllMocks()
    await Promise.all(apps.splice(0).map((app) => app.close()))
  })

  const world = async (options: Partial<TenantOptions<unknown>> = {}, held?: Held) => {
    const tenants = new TestTenants({
      tenants: Object.fromEntries(NAMES.map((name) => [name, { configs: { owner: name } }])),
    })
    const metrics: RequestMetric[] = []
    const app = await makeApp(
      {
        tenants,
        resolve: byHeader({ claim: (request) => request.header("x-claim")?.split(",") ?? "*" }),
        onRequest: (metric) => metrics.push(metric),
        onError: () => {},
        ...options,
      },
      held,
    )
    apps.push(app)
    const get = (path: string, tenantId: string | null, init: RequestInit = {}) =>
      fetch(app.url + path, {
        ...init,
        headers: { ...(tenantId === null ? {} : { "x-tenant-id": tenantId }), ...(init.headers as object) },
      })
    const told = (count: number) => vi.waitFor(() => expect(metrics).toHaveLength(count))
    return { app, tenants, metrics, get, told }
  }

  test("gives each of 100 tenants at once its own context, in handlers, streams and bodies", async () => {
    const { get, tenants, told } = await world()
    const seen = await Promise.all(
      NAMES.map(async (name) => {
        const answers = await Promise.all([
          ...["/who", "/stream", "/written"].map((path) => get(path, name)),
          get("/echo", name, { method: "POST", body: name, headers: { "content-type": "text/plain" } }),
        ])
        return { name, words: (await Promise.all(answers.map((each) => each.text()))).join(" ").split(/\s+/) }
      }),
    )
    for (const { name, words } of seen) expect(new Set(words.filter(Boolean))).toEqual(new Set([name]))
    expect(seen[0]!.words.length).toBeGreaterThan(20)
    expect(TenantContext.find()).toBeNull()
    await told(400)
    for (const name of NAMES)
      expect(tenants.of(name).reports.map(({ ok }) => ok)).toEqual([true, true, true, true])
  })

  const ofNode = name === "Hono" ? () => {} : test
  ofNode("is there in what the request and the answer call back themselves", async () => {
    let begun = (): void => {}
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve
    })
    const { app } = await world({}, { begun, until: Promise.resolve() })
    const call = request(`${app.url}/listen`, { method: "POST", headers: { "x-tenant-id": "tenant-1" } })
    call.write("first")
    await hasBegun
    call.end("second")
    const [answer] = (await once(call, "response")) as [IncomingMessage]
    const [, ...lines] = (await text(answer)).split("\n")
    expect([...new Set(lines)]).toEqual(["data", "end", "drain"].map((each) => `${each} tenant-1 tenant-1`))
  })

  test("refuses who names no tenant, none that there is, or not their own", async () => {
    const { get, metrics, told } = await world()
    const refused = async (tenantId: string | null, headers = {}) => {
      const answer = await get("/who", tenantId, { headers })
      expect(answer.headers.get("content-type")).toMatch("application/problem+json")
      const { status, code } = (await answer.json()) as { status: number; code: string }
      expect(answer.status).toBe(status)
      return [status, code]
    }
    expect(await refused(null)).toEqual([400, "TENANT_UNNAMED"])
    expect(await refused("Tenant 1")).toEqual([400, "TENANT_ID_INVALID"])
    expect(await refused("tenant-1", { "x-claim": "tenant-2,tenant-3" })).toEqual([403, "TENANT_FORBIDDEN"])
    expect(await refused("tenant-x")).toEqual([404, "TENANT_NOT_FOUND"])
    await told(4)
    expect(metrics.map(({ tenantId, status }) => [tenantId, status])).toEqual([
      [null, 400],
      [null, 400],
      [null, 403],
      ["tenant-x", 404],
    ])
    expect(await (await get("/who", null, { headers: { "x-claim": "tenant-2" } })).text()).toBe(
      "tenant-2 tenant-2",
    )
  })

  test("answers 503 where a tenant's configuration cannot be had", async () => {
    const { get } = await world({ tenants: { ready: () => Promise.reject(new Error("nothing yet")) } })
    const answer = await get("/who", "tenant-1")
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"])
    expect(await answer.json()).toMatchObject({ code: "CONFIGURATION_UNAVAILABLE" })
  })

  test("counts each request towards its tenant's limit, and answers 429 beyond", async () => {
    const limits = new TestLimits({ command: 2 })
    limits.retryAfterMs = 1_500
    const { get, tenants, metrics, told } = await world({ limits, action: "command" })
    const statuses = []
    for (let index = 0; index < 3; index++) statuses.push((await get("/who", "tenant-1")).status)
    expect(statuses).toEqual([200, 200, 429])
    const refused = await get("/who", "tenant-1")
    expect(refused.headers.get("retry-after")).toBe("2")
    expect(await refused.json()).toMatchObject({ status: 429, code: "RATE_LIMITED" })
    expect((await get("/who", "tenant-2")).status).toBe(200)
    await told(5)
    expect(metrics.filter(({ status }) => status === 429).map(({ tenantId }) => tenantId)).toHaveLength(2)
    expect(tenants.of("tenant-1").reports).toHaveLength(2)
  })

  test("passes on what the limit says, to who is let through as well", async () => {
    const state = { limit: 9, used: 1, remaining: 8, resetAt: "", retryAfterMs: 0 }
    const headers = { ratelimit: '"command";r=8' }
    const consume = () => Promise.resolve({ kind: "allowed" as const, state, headers })
    const { get } = await world({ limits: { consume }, action: "command" })
    const answer = await get("/who", "tenant-1")
    expect([answer.headers.get("ratelimit"), answer.headers.get("x-own")]).toEqual(['"command";r=8', "1"])
  })

  test("lets requests through where nobody can tell the limit, or refuses them if told to", async () => {
    const limits = new TestLimits({ command: 0 })
    limits.isAway = true
    const errors: unknown[] = []
    const onError = (error: unknown) => void errors.push(error)
    const lenient = await world({ limits, action: "command", onError })
    expect((await lenient.get("/who", "tenant-1")).status).toBe(200)
    expect(errors).toHaveLength(1)
    const strict = await world({ limits, action: "command", onError, whenLimitsUnavailable: "refuse" })
    expect((await strict.get("/who", "tenant-1")).status).toBe(503)
    const uncounted = await world({ limits, action: () => null, onError, whenLimitsUnavailable: "refuse" })
    expect((await uncounted.get("/who", "tenant-1")).status).toBe(200)
  })

  test("tells how each request went, by its route, and the client whether it went well", async () => {
    const { get, tenants, metrics, told } = await world()
    for (const path of ["/who", "/status/204", "/status/404", "/status/503", "/fail"])
      await (await get(path, "tenant-1")).text()
    await told(5)
    expect(metrics.map(({ status }) => status)).toEqual([200, 204, 404, 503, 500])
    expect(metrics.map(({ route }) => route?.replace("/:code", ""))).toEqual([
      ...["/who", "/status", "/status", "/status", "/fail"],
    ])
    for (const metric of metrics) {
      expect(metric).toMatchObject({ tenantId: "tenant-1", method: "GET" })
      expect(metric.durationMs).toBeGreaterThanOrEqual(0)
    }
    const { reports } = tenants.of("tenant-1")
    expect(reports.map(({ ok }) => ok)).toEqual([true, true, true, false, false])
    expect(reports[0]!.view).toBe(tenants.of("tenant-1").view())
  })

  const breakOff = name === "Hono" ? ["/broken"] : ["/broken", "/half"]
  test.each(breakOff)("takes an answer that breaks off for a failure: %s", async (path) => {
    vi.spyOn(console, "error").mockImplementation(() => {})
    const { get, tenants, metrics, told } = await world()
    await expect(get(path, "tenant-1").then((answer) => answer.text())).rejects.toThrow()
    await told(1)
    expect(metrics[0]).toMatchObject({ status: 200, route: path })
    expect(tenants.of("tenant-1").reports.map(({ ok }) => ok)).toEqual([false])
  })

  test("goes on where a hook throws", async () => {
    const onError = vi.fn()
    const onRequest = () => {
      throw new Error("the hook")
    }
    const { get } = await world({ onRequest, onError })
    expect(await (await get("/who", "tenant-1")).text()).toBe("tenant-1 tenant-1")
    await vi.waitFor(() => expect(onError).toHaveBeenCalledWith(new Error("the hook")))
  })

  test("keeps what a request sees, and whose it is, while configuration changes under it", async () => {
    let [begun, go] = [() => {}, () => {}]
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve
    })
    const until = new Promise<void>((resolve) => {
      go = resolve
    })
    const { get, tenants } = await world({}, { begun, until })
    const answer = get("/wait", "tenant-1")
    await hasBegun
    tenants.of("tenant-1").setConfig("owner", "somebody else")
    go()
    expect(await (await answer).text()).toBe("tenant-1 tenant-1")
  })

  test("takes a caller who leaves for neither a success nor a failure", async () => {
    let [begun, go] = [() => {}, () => {}]
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve
    })
    const until = new Promise<void>((resolve) => {
      go = resolve
    })
    const { app, tenants, told, metrics } = await world({}, { begun, until })
    const socket = connect(Number(new URL(app.url).port), "127.0.0.1")
    socket.write("GET /wait HTTP/1.1\r\nhost: x\r\nx-tenant-id: tenant-1\r\n\r\n")
    await hasBegun
    socket.destroy()
    await once(socket, "close")
    // Hono makes its answer all the same, and is not told that nobody takes it.
    if (name === "Hono") go()
    await told(1)
    go()
    expect(metrics[0]!.tenantId).toBe("tenant-1")
    expect(metrics[0]!.status).toBe(name === "Hono" ? 200 : 0)
    expect(tenants.of("tenant-1").reports.map(({ ok }) => ok)).toEqual(name === "Hono" ? [true] : [])
  })
})
