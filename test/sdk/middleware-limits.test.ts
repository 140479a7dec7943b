import { afterEach, describe, expect, test } from "vitest"
import { LimitsClient } from "../../sdk/src/limits.ts"
import { type Script, type ScriptedService, startService } from "./scripted-service.ts"

const answering =
  (status: number, body: unknown, headers: Record<string, string> = {}): NonNullable<Script["limit"]> =>
  (_tenantId, _action, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))
  }
const STATE = { limit: 10, remaining: 9, used: 1, resetAt: "2026-01-01T00:00:00.000Z", retryAfterMs: 0 }

describe("asking for a limit", () => {
  const services: ScriptedService[] = []
  afterEach(() => Promise.all(services.splice(0).map((service) => service.close())))
  const world = async (limit: NonNullable<Script["limit"]>, timeoutMs = 5_000) => {
    const service = await startService({ limit })
    services.push(service)
    return { service, limits: new LimitsClient({ url: `${service.url}/`, token: "t", timeoutMs }) }
  }

  test("tells who is allowed, with what the service says about it", async () => {
    const fields = { ratelimit: '"command";r=9', "ratelimit-policy": '"command";q=10;w=60', "x-other": "1" }
    const { limits, service } = await world(answering(200, { ...STATE, allowed: true }, fields))
    const { ratelimit, "ratelimit-policy": policy } = fields
    expect(await limits.consume("acme", "command")).toEqual({
      kind: "allowed",
      state: STATE,
      headers: { ratelimit, "ratelimit-policy": policy },
    })
    await limits.check("acme", "sync_request")
    expect(service.asked).toEqual(["consume acme command", "check acme sync_request"])
  })

  test("tells who is refused, and until when", async () => {
    const refusal = { ...STATE, allowed: false, remaining: 0, retryAfterMs: 1_234, code: "RATE_LIMITED" }
    const { limits } = await world(answering(429, refusal, { "retry-after": "2" }))
    expect(await limits.consume("acme", "command")).toMatchObject({
      kind: "refused",
      state: { retryAfterMs: 1_234, remaining: 0 },
      headers: { "retry-after": "2" },
    })
  })

  test.each([
    ["another refusal with the same status", answering(429, { code: "AUTHENTICATION_LIMITED" })],
    ["a refusal of another limit", answering(429, { ...STATE, allowed: false, action: "management" })],
    ["a failure", answering(503, {})],
    ["a token that may not ask", answering(403, { code: "FORBIDDEN" })],
    ["no JSON", ((_, __, response) => void response.end("<html>")) as NonNullable<Script["limit"]>],
    ["a broken connection", ((_, __, response) => void response.destroy()) as NonNullable<Script["limit"]>],
  ])("takes %s for no answer", async (_, limit) => {
    const { limits } = await world(limit)
    expect(await limits.consume("acme", "command")).toMatchObject({
      kind: "unavailable",
      error: expect.any(Error),
    })
  })

  test("waits for no answer longer than it was told, and stops asking a service that gives none", async () => {
    const { service } = await world(() => {})
    // Counted where they leave: in so short a time not each arrives.
    let asked = 0
    const counting: typeof fetch = (...request) => {
      asked++
      return fetch(...request)
    }
    const limits = new LimitsClient({ url: service.url, token: "t", timeoutMs: 20, fetch: counting })
    for (let index = 0; index < 10; index++)
      expect((await limits.consume("acme", "command")).kind).toBe("unavailable")
    expect(asked).toBe(3)
  })

  test("asks for the others, however often one tenant or one action is refused itself", async () => {
    const { limits, service } = await world((tenantId, action, response) => {
      const isKnown = tenantId === "acme" && action === "command"
      answering(isKnown ? 200 : 404, isKnown ? { ...STATE, allowed: true } : { code: "X" })(
        tenantId,
        action,
        response,
      )
    })
    for (let index = 0; index < 5; index++) {
      expect((await limits.consume("nobody", "command")).kind).toBe("unavailable")
      expect((await limits.consume("acme", "misspelt")).kind).toBe("unavailable")
    }
    expect((await limits.consume("acme", "command")).kind).toBe("allowed")
    expect(service.asked).toHaveLength(11)
  })
})
