import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createLimited, type Limited, type LimitedTenant, type Standing } from "./limited.ts"
import { createWorld, must, type World } from "./world.ts"

let limited: Limited
let world: World
let tenant: Limited["tenant"]
let write: Limited["write"]
let listed: Limited["listed"]
beforeAll(async () => {
  limited = await createLimited()
  ;({ world, tenant, write, listed } = limited)
})
afterAll(() => limited.close())

const features = async ({ tenantId }: LimitedTenant, environment = "Staging") => {
  const path = `/api/v1/tenants/${tenantId}/features?environment=${environment}`
  const { body } = await must(
    world.call<{ features: Record<string, { enabled: boolean; source: string }> }>("GET", path),
    200,
  )
  return Object.fromEntries(
    Object.entries(body.features).map(([name, { enabled, source }]) => [name, [enabled, source]]),
  )
}

describe("a limit", () => {
  test("lets an application do as much as its tenant's tier says, and says when it may go on", async () => {
    const free = await tenant()
    const first = await must(free.consume("command", 9), 200)
    expect(first.body).toMatchObject({ allowed: true, limit: 10, remaining: 1, used: 9, retryAfterMs: 0 })
    expect(first.headers.get("ratelimit-policy")).toBe('"command";q=10;w=60')
    expect(first.headers.get("ratelimit")).toBe('"command";r=1;t=60')
    expect(first.headers.get("retry-after")).toBeNull()

    const refused = await must(free.consume("command", 2), 429)
    expect(refused.headers.get("content-type")).toContain("application/problem+json")
    expect(refused.body).toMatchObject({
      code: "RATE_LIMITED",
      allowed: false,
      limit: 10,
      remaining: 1,
      used: 9,
    })
    const seconds = Math.ceil(refused.body.retryAfterMs! / 1_000)
    expect(refused.headers.get("retry-after")).toBe(String(seconds))
    expect(refused.headers.get("ratelimit")).toBe(`"command";r=1;t=${seconds}`)
    expect(Date.parse(refused.body.resetAt)).toBeGreaterThan(0)

    await must(free.consume("command"), 200)
    expect((await must(free.consume("command"), 429)).body.remaining).toBe(0)
  })

  test("is checked without being used, and a check is answered 200 either way", async () => {
    const free = await tenant()
    expect((await must(free.check("sync_request", 2), 200)).body).toMatchObject({
      allowed: false,
      used: 0,
      retryAfterMs: null,
    })
    for (const _ of [1, 2]) expect((await must(free.check("sync_request"), 200)).body.allowed).toBe(true)
    await must(free.consume("sync_request"), 200)
    const full = await must(free.check("sync_request"), 200)
    expect(full.body).toMatchObject({ allowed: false, used: 1, remaining: 0 })
    expect(full.headers.get("retry-after")).not.toBeNull()
  })

  test("of more than it ever lets through at once says that waiting does not help", async () => {
    const free = await tenant()
    const refused = await must(free.consume("command", 11), 429)
    expect(refused.body).toMatchObject({ retryAfterMs: null, used: 0 })
    expect(refused.headers.get("retry-after")).toBeNull()
  })

  test("is that of the new tier in the very next call after the tenant's tier changed", async () => {
    const acme = await tenant()
    await must(acme.consume("command", 10), 200)
    await must(acme.consume("command"), 429)
    const tiers = (tier: string) =>
      world.call("PATCH", `/api/v1/tenants/${acme.tenantId}`, { body: { tier } })
    await must(tiers("Pro"), 200)
    expect((await must(acme.consume("command", 89), 200)).body).toMatchObject({ limit: 100, used: 99 })
    await must(tiers("Enterprise"), 200)
    const none = await must(acme.consume("command", 1_000_000), 200)
    expect(none.body).toMatchObject({ limit: -1, remaining: -1, retryAfterMs: 0, source: "default" })
    expect(none.headers.get("ratelimit")).toBeNull()
    await must(tiers("Free"), 200)
    expect((await must(acme.consume("command"), 429)).body).toMatchObject({
      limit: 10,
      used: 99,
      remaining: 0,
    })
  })

  test("is what the nearest layer says, in the very next call, unless a farther one has it locked", async () => {
    const acme = await tenant("Pro")
    const inStaging = await acme.issue("shop", ["reader"], "Staging")
    const limit = async () => {
      const { body } = await must(acme.check("jobs", 1, inStaging), 200)
      return [body.limit, body.source]
    }
    await must(acme.check("jobs", 1, inStaging), 404)
    await must(write("~platform", "limit.jobs", { max: 3, windowMs: 60_000 }), 201)
    expect(await limit()).toEqual([3, "platform"])
    await must(write("~tier.Pro", "limit.jobs", { max: 5, windowMs: 60_000 }), 201)
    expect(await limit()).toEqual([5, "tier"])
    await must(write(acme.tenantId, "limit.jobs", { max: 7, windowMs: 60_000 }), 201)
    expect(await limit()).toEqual([7, "tenant"])
    await must(
      world.call("PUT", "/api/v1/configs/~platform:Staging:limit.jobs", { body: { locked: true } }),
      200,
    )
    expect(await limit()).toEqual([3, "platform"])
    await must(world.call("DELETE", "/api/v1/configs/~platform:Staging:limit.jobs"), 200)
    expect(await limit()).toEqual([7, "tenant"])
    // What is said in one environment says nothing of another.
    await must(acme.check("jobs"), 404)
  })

  test("is taken from once by a request that comes again under the same key, and as much as it was then", async () => {
    const acme = await tenant()
    const path = `/api/v1/tenants/${acme.tenantId}/limits/command/consume`
    const ask = (amount: number, key: string, token = acme.reader) =>
      world.call<Standing>("POST", path, { token, body: { amount }, headers: { "idempotency-key": key } })
    const first = await must(ask(4, "one"), 200)
    expect((await must(ask(4, "two"), 200)).body.used).toBe(8)
    expect((await must(ask(4, "one"), 200)).body).toEqual(first.body)
    expect((await must(ask(1, "one"), 422)).body.code).toBe("IDEMPOTENCY_KEY_REUSED")
    expect((await must(acme.check("command"), 200)).body.used).toBe(8)
    // Another's key is another one; and what was refused may be tried again.
    expect((await must(ask(4, "one", acme.tokens.engineer), 429)).body.used).toBe(8)
    await must(
      world.call("DELETE", path.replace("/consume", ""), { headers: { "idempotency-key": "r" } }),
      200,
    )
    expect((await must(ask(4, "one", acme.tokens.engineer), 200)).body.used).toBe(4)
    await must(
      world.call("DELETE", path.replace("/consume", ""), { headers: { "idempotency-key": "r" } }),
      200,
    )
    expect((await must(acme.check("command"), 200)).body.used).toBe(4)
  })

  test("is taken from in the environment of each token, also under one key of somebody who has two", async () => {
    const acme = await tenant()
    const staging = await acme.issue("shop", ["reader"], "Staging")
    const path = `/api/v1/tenants/${acme.tenantId}/limits/command/consume`
    const headers = { "idempotency-key": "order-1" }
    for (const [token, environment] of [
      [acme.reader, "Production"],
      [staging, "Staging"],
    ] as const) {
      for (let again = 0; again < 2; again++) {
        const taken = await must(world.call<Standing>("POST", path, { token, body: {}, headers }), 200)
        expect(taken.body).toMatchObject({ environment, used: 1 })
      }
      expect((await must(acme.check("command", 1, token), 200)).body.used).toBe(1)
    }
  })

  test("counts each tenant and each environment apart", async () => {
    const one = await tenant()
    const other = await tenant()
    await must(one.consume("sync_request"), 200)
    await must(other.consume("sync_request"), 200)
    const staging = await one.issue("shop", ["reader"], "Staging")
    await must(one.consume("sync_request", 1, staging), 200)
    await must(one.consume("sync_request"), 429)
  })

  test("is shown with who says it, among all that are in force", async () => {
    const acme = await tenant("Pro")
    await must(write(acme.tenantId, "limit.own_action", { max: 2, windowMs: 1_000 }), 201)
    expect(await listed(acme, "Staging")).toMatchObject({
      command: [100, "default"],
      eligibility_check: [1_000, "default"],
      sync_request: [10, "default"],
      management: [60_000, "default"],
      own_action: [2, "tenant"],
    })
    expect(await listed(acme)).not.toHaveProperty("own_action")
  })

  test("of what the service counts itself is looked at, and not counted into", async () => {
    const acme = await tenant()
    expect((await must(acme.check("management"), 200)).body.limit).toBe(6_000)
    expect((await must(acme.consume("management"), 403)).body.code).toBe("FORBIDDEN")
  })

  test.each(["nothing.says", "Command", "limit.command", "x".repeat(100), "a%20b"])(
    "of an action that nothing limits is unknown: %s",
    async (action) => {
      const acme = await tenant()
      expect((await must(acme.consume(action), 404)).body.code).toBe("LIMIT_UNKNOWN")
    },
  )

  test.each([0, -1, 1.5, 1_000_001, "2", null])("of an amount of %s is not asked", async (amount) => {
    const acme = await tenant()
    const body = await must(acme.consume("command", amount as number), 400)
    expect(body.body.code).toBe("BODY_INVALID")
    expect((await must(acme.check("command"), 200)).body.used).toBe(0)
  })

  test("is reset by platform admins, which the audit remembers, and by nobody who is limited", async () => {
    const acme = await tenant()
    const path = `/api/v1/tenants/${acme.tenantId}/limits/sync_request`
    await must(acme.consume("sync_request"), 200)
    for (const token of [acme.reader, ...Object.values(acme.tokens)])
      await must(world.call("DELETE", path, { token }), 403)
    await must(acme.consume("sync_request"), 429)
    expect((await must(world.call<Standing>("DELETE", path), 200)).body).toMatchObject({ used: 0 })
    await must(acme.consume("sync_request"), 200)
    const audit = await must(
      world.call<{ items: { target: string }[] }>(
        "GET",
        `/api/v1/audit?tenantId=${acme.tenantId}&action=limit.reset`,
      ),
      200,
    )
    expect(audit.body.items.map(({ target }) => target)).toEqual(["sync_request"])
  })

  test("does not outlast a suspension of its tenant", async () => {
    const acme = await tenant()
    await must(world.call("POST", `/api/v1/tenants/${acme.tenantId}/suspend`, { body: {} }), 200)
    expect((await must(acme.consume("command"), 403)).body.code).toBe("TENANT_SUSPENDED")
    await must(world.call("GET", `/api/v1/tenants/${acme.tenantId}/limits`), 200)
  })
})

test("without Redis a caller is told that nothing is known; a limit that is none, and the list, need no Redis", async () => {
  const without = await createWorld()
  try {
    const { tenantId } = await without.tenant("acme")
    const rich = await without.tenant("rich", "Enterprise")
    const limits = (id: string, rest = "") => `/api/v1/tenants/${id}/limits${rest}`
    for (const [method, path] of [
      ["POST", limits(tenantId, "/command/consume")],
      ["POST", limits(tenantId, "/command/check")],
      ["GET", limits(tenantId, "/command")],
      ["DELETE", limits(tenantId, "/command")],
    ] as const) {
      const answer = await without.call(method, path, method === "GET" ? {} : { body: {} })
      expect([answer.status, answer.body.code]).toEqual([503, "LIMITS_UNAVAILABLE"])
      expect(answer.headers.get("retry-after")).toBe("5")
    }
    await must(without.call("POST", limits(rich.tenantId, "/command/consume"), { body: {} }), 200)
    await must(without.call("GET", limits(tenantId)), 200)
    // What was not reset is not said to have been.
    const audit = await without.call<{ items: unknown[] }>(
      "GET",
      `/api/v1/audit?tenantId=${tenantId}&action=limit.reset`,
    )
    expect(audit.body.items).toEqual([])
  } finally {
    await without.close()
  }
})

describe("quotas of a tenant's record", () => {
  const patch = (of: { tenantId: string }, body: Record<string, unknown>) =>
    world.call("PATCH", `/api/v1/tenants/${of.tenantId}`, { body })

  test("limit what is called so: after the configs, before nothing but a lock, and in every environment", async () => {
    const acme = await tenant("Enterprise")
    await must(patch(acme, { quotas: { command: 2, export: { max: 1, windowMs: 1_000 }, seats: 40 } }), 200)
    for (const environment of ["Staging", "Production"])
      expect(await listed(acme, environment)).toMatchObject({ command: [2, "record"], export: [1, "record"] })
    expect(await listed(acme, "Staging")).not.toHaveProperty("seats")
    await must(acme.consume("command", 2), 200)
    await must(acme.consume("command"), 429)
    await must(write(acme.tenantId, "limit.export", { max: 20, windowMs: 60_000 }), 201)
    await must(write(acme.tenantId, "limit.command", { max: 30, windowMs: 60_000 }, { locked: true }), 201)
    expect(await listed(acme, "Staging")).toMatchObject({ command: [30, "tenant"], export: [1, "record"] })
  })

  test("that cannot be counted are refused by name, and alter nothing", async () => {
    const acme = await tenant("Free")
    for (const command of ["5", -2, 1.5, { max: 5 }, null]) {
      const { status, body } = await patch(acme, { quotas: { command, seats: "any" } })
      expect([status, body.code, body.errors], JSON.stringify(command)).toMatchObject([
        422,
        "LIMIT_INVALID",
        [{ path: "/quotas/command" }],
      ])
    }
    expect((await listed(acme, "Staging")).command).toEqual([10, "default"])
  })
})

describe("features", () => {
  test("are the tier's, then what the layers' configs say, then the tenant's own record", async () => {
    const acme = await tenant("Pro")
    expect(await features(acme)).toMatchObject({
      customBranding: [true, "default"],
      advancedAnalytics: [true, "default"],
      prioritySupport: [false, "default"],
      unlimitedCommands: [false, "default"],
    })
    await must(write("~tier.Pro", "feature.prioritySupport", true), 201)
    await must(write(acme.tenantId, "feature.customBranding", false), 201)
    await must(write(acme.tenantId, "feature.new_dashboard", "true"), 201)
    const patch = { features: { advancedAnalytics: false, beta: true } }
    await must(world.call("PATCH", `/api/v1/tenants/${acme.tenantId}`, { body: patch }), 200)
    expect(await features(acme)).toEqual({
      customBranding: [false, "tenant"],
      advancedAnalytics: [false, "record"],
      prioritySupport: [true, "tier"],
      unlimitedCommands: [false, "default"],
      beta: [true, "record"],
    })
    await must(write("~platform", "feature.beta", false, { locked: true }), 201)
    expect((await features(acme)).beta).toEqual([false, "platform"])
  })

  test("of unlimited commands lift the limit of commands, unless somebody nearer says one", async () => {
    const acme = await tenant()
    const command = async () => (await listed(acme, "Staging")).command
    const patch = (unlimitedCommands: boolean) =>
      world.call("PATCH", `/api/v1/tenants/${acme.tenantId}`, { body: { features: { unlimitedCommands } } })
    await must(write("~tier.Free", "feature.unlimitedCommands", true), 201)
    expect(await command()).toEqual([-1, "feature"])
    await must(write(acme.tenantId, "limit.command", { max: 20, windowMs: 60_000 }), 201)
    expect(await command()).toEqual([20, "tenant"])
    await must(patch(true), 200)
    expect(await command()).toEqual([-1, "feature"])
    expect((await must(acme.consume("command", 500), 200)).body.limit).toBe(-1)
    await must(patch(false), 200)
    expect(await command()).toEqual([20, "tenant"])
  })
})
