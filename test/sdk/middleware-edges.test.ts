import { once } from "node:events"
import { createServer, type IncomingMessage, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import express from "express"
import { Hono } from "hono"
import { afterEach, describe, expect, test, vi } from "vitest"
import { TenantContext } from "../../sdk/src/context.ts"
import type { LimitsClient } from "../../sdk/src/limits.ts"
import { withTenant as withExpress } from "../../sdk/src/middleware/express.ts"
import { withTenant as withHono } from "../../sdk/src/middleware/hono.ts"
import { withTenant as withNode } from "../../sdk/src/middleware/node.ts"
import type { RequestMetric, TenantOptions } from "../../sdk/src/middleware/serve.ts"
import { TestTenants } from "../../sdk/src/testing.ts"

const state = { limit: 2, remaining: 1, used: 1, resetAt: "2026-01-01T00:00:00.000Z", retryAfterMs: 0 }
type Make = (options: TenantOptions<IncomingMessage>, before: (response: Answering) => void) => Server
interface Answering {
  writeHead(status: number): { write(text: string): unknown; end(text?: string): unknown }
}

const handled = vi.fn()
const MAKERS: Record<string, Make> = {
  Express: (options, before) => {
    const app = express()
    app.use((_, response, next) => {
      before(response)
      next()
    })
    app.use(withExpress(options), () => handled())
    return createServer(app)
  },
  "node:http": (options, before) => {
    const listener = withNode(options, () => handled())
    return createServer((request, response) => {
      before(response)
      listener(request, response)
    })
  },
}

describe.each(Object.entries(MAKERS))(
  "where a request is answered while %s's middleware is at work",
  (_, make) => {
    const servers: Server[] = []
    const rejections: unknown[] = []
    const rejected = (error: unknown) => void rejections.push(error)
    afterEach(async () => {
      process.off("unhandledRejection", rejected)
      handled.mockReset()
      rejections.length = 0
      for (const server of servers.splice(0)) {
        server.closeAllConnections()
        server.close()
        await once(server, "close")
      }
    })

    test.each([
      ["wholly, and the tenant is one", "acme", (response: Answering) => response.writeHead(504).end("late")],
      [
        "wholly, and there is no such tenant",
        "nobody",
        (response: Answering) => response.writeHead(504).end("late"),
      ],
      [
        "in part, and the tenant is one",
        "acme",
        (response: Answering) => response.writeHead(504).write("late"),
      ],
      [
        "in part, and there is no such tenant",
        "nobody",
        (response: Answering) => response.writeHead(504).write("late"),
      ],
    ])("%s, that stands, and nothing is left unhandled", async (what, tenantId, answer) => {
      const isBegun = what.startsWith("in part")
      const tenants = new TestTenants({ tenants: { acme: {} } })
      const held = Promise.withResolvers<string>()
      const consume: LimitsClient["consume"] = async () => ({
        kind: "allowed",
        state,
        headers: { ratelimit: "r=1" },
      })
      const options = { tenants, resolve: () => held.promise, limits: { consume }, action: "command" }
      const server = make(options, (response) => void answer(response)).listen(0, "127.0.0.1")
      servers.push(server)
      await once(server, "listening")
      process.on("unhandledRejection", rejected)
      const got = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
      expect(got.status).toBe(504)
      held.resolve(tenantId)
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
      expect(rejections).toEqual([])
      // Who has begun to answer may go on with it.
      expect(handled).toHaveBeenCalledTimes(isBegun && tenantId === "acme" ? 1 : 0)
      expect(tenants.of("acme").reports).toEqual([])
      await got.body?.cancel().catch(() => undefined)
    })
  },
)

test("a question for the head of an answer only is over as well", async () => {
  const tenants = new TestTenants({ tenants: { acme: {} } })
  const metrics: RequestMetric[] = []
  const app = new Hono()
  app.use("*", withHono({ tenants, resolve: () => "acme", onRequest: (metric) => metrics.push(metric) }))
  app.get("/text", (c) => c.text("hello"))
  const answer = await app.request("/text", { method: "HEAD" })
  expect(answer.status).toBe(200)
  expect(metrics).toMatchObject([{ tenantId: "acme", method: "HEAD", route: "/text", status: 200 }])
  expect(tenants.of("acme").reports).toHaveLength(1)
})

test("what a client does of what a request reported is done outside of it", async () => {
  const tenants = new TestTenants({ tenants: { acme: {} } })
  const seen: unknown[] = []
  const acme = tenants.of("acme")
  vi.spyOn(acme, "report").mockImplementation(() => void seen.push(TenantContext.find()))
  const app = new Hono()
  app.use("*", withHono({ tenants, resolve: () => "acme" }))
  app.get("/text", (c) => c.text("hello"))
  app.get("/none", (c) => c.body(null, 204))
  await (await tenants.run("acme", () => app.request("/text"))).text()
  await tenants.run("acme", () => app.request("/none"))
  expect(seen).toEqual([null, null])
})
