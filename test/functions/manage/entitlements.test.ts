import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createLimited, type Limited } from "./limited.ts"
import { must, type World } from "./world.ts"

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

describe("what a tenant is granted", () => {
  const GRANTS: readonly [string, unknown][] = [
    ["limit.command", { max: -1, windowMs: 60_000 }],
    ["limit.anything", { max: 5, windowMs: 60_000 }],
    ["feature.unlimitedCommands", true],
    ["feature.prioritySupport", true],
  ]

  test.each(GRANTS)("is not written by the tenant itself: %s", async (key, value) => {
    const acme = await tenant()
    const target = { tenantId: acme.tenantId, environment: "Development" }
    for (const token of Object.values(acme.tokens)) {
      const create = await world.call("POST", "/api/v1/configs", { token, body: { ...target, key, value } })
      expect([create.status, create.body.code]).toEqual([403, "FORBIDDEN"])
      const edits = [
        { key: "plain", value: 1 },
        { key, value },
      ]
      await must(world.call("POST", "/api/v1/changes", { token, body: { ...target, edits } }), 403)
    }
  })

  test.each(GRANTS)(
    "is neither altered, deleted, promoted nor rolled back by the tenant: %s",
    async (key, value) => {
      const acme = await tenant()
      const token = acme.tokens.engineer
      const id = (environment: string) => `${acme.tenantId}:${environment}:${key}`
      const values = [value, typeof value === "boolean" ? !value : { max: 1, windowMs: 1_000 }]
      await must(write(acme.tenantId, key, values[0]), 201)
      const put = await must(
        world.call("PUT", `/api/v1/configs/${id("Staging")}`, { body: { value: values[1] } }),
        200,
      )
      const forbidden: [string, string, unknown?][] = [
        ["PUT", `/api/v1/configs/${id("Staging")}`, { value: values[0] }],
        ["PUT", `/api/v1/configs/${id("Staging")}`, { locked: true }],
        ["DELETE", `/api/v1/configs/${id("Staging")}`],
        ["POST", `/api/v1/configs/${id("Staging")}/rollback`, { toVersion: 1 }],
        ["POST", `/api/v1/configs/${id("Staging")}/promote`, { targetEnvironment: "Production" }],
        ["POST", `/api/v1/changes/${String(put.body.changeId)}/rollback`, {}],
      ]
      for (const [method, path, body] of forbidden) {
        const answer = await world.call(method, path, { token, ...(body ? { body } : {}) })
        expect([path, answer.status, answer.body.code]).toEqual([path, 403, "FORBIDDEN"])
      }
      const named = { from: "Staging", keys: [key] }
      const target = { tenantId: acme.tenantId, environment: "Production", promote: named }
      await must(world.call("POST", "/api/v1/changes", { token, body: target }), 403)
      const { body } = await must(world.call("GET", `/api/v1/configs/${id("Staging")}`), 200)
      expect(body.value).toEqual(values[1])
      // Who granted it may take it back.
      await must(
        world.call("POST", `/api/v1/changes/${String(put.body.changeId)}/rollback`, { body: {} }),
        200,
      )
      expect((await must(world.call("GET", `/api/v1/configs/${id("Staging")}`), 200)).body.value).toEqual(
        values[0],
      )
    },
  )

  test("stays when the tenant promotes everything, or goes back to an earlier release", async () => {
    const acme = await tenant()
    const { tenantId } = acme
    const token = acme.tokens.engineer
    const own = (key: string, value: unknown, environment = "Staging") =>
      must(world.call("POST", "/api/v1/configs", { token, body: { tenantId, environment, key, value } }), 201)
    await own("plain", 1)
    const granted = await must(write(tenantId, "limit.command", { max: 3, windowMs: 60_000 }), 201)
    await own("other", 2)
    const back = `/api/v1/tenants/${tenantId}/environments/Staging/rollback`
    // Back before the limit was set: what came after it goes, the limit stays.
    const releases = await must(
      world.call<{ items: { release: string }[] }>("GET", back.replace("rollback", "releases")),
      200,
    )
    const first = releases.body.items.at(-2)!.release
    await must(world.call("POST", back, { token: acme.tokens.manager, body: { toRelease: first } }), 200)
    const configs = await must(
      world.call<{ items: { key: string }[] }>(
        "GET",
        `/api/v1/configs?tenantId=${tenantId}&environment=Staging`,
      ),
      200,
    )
    expect(configs.body.items.map(({ key }) => key)).toEqual(["limit.command", "plain"])
    expect((await listed(acme, "Staging")).command).toEqual([3, "tenant"])
    const change = await must(world.call("GET", `/api/v1/changes/${String(granted.body.changeId)}`), 200)
    expect(change.body.state).toBe("live")

    const everything = { tenantId, environment: "Production", promote: { from: "Staging" } }
    const promoted = await must(
      world.call<{ diff: { key: string }[] }>("POST", "/api/v1/changes", { token, body: everything }),
      202,
    )
    expect(promoted.body.diff.map(({ key }) => key)).toEqual(["plain"])
  })

  test("is changed by itself, so that it is never half rolled back", async () => {
    const acme = await tenant()
    const edits = [
      { key: "plain", value: 1 },
      { key: "limit.command", value: { max: 3, windowMs: 60_000 } },
    ]
    const body = { tenantId: acme.tenantId, environment: "Staging", edits }
    const mixed = await must(world.call("POST", "/api/v1/changes", { body }), 422)
    expect(mixed.body).toMatchObject({ code: "ENTITLEMENT_MIXED", errors: [{ path: "plain" }] })
    await must(
      world.call("POST", "/api/v1/changes", { body: { ...body, tenantId: "~tier.Enterprise" } }),
      202,
    )
  })

  test.each([
    ["limit.command", 10],
    ["limit.command", { max: 10 }],
    ["limit.command", { max: -2, windowMs: 60_000 }],
    ["limit.command", { max: 1_000_001, windowMs: 60_000 }],
    ["limit.command", { max: 1.5, windowMs: 60_000 }],
    ["limit.command", { max: 1, windowMs: 999 }],
    ["limit.command", { max: 1, windowMs: 31 * 86_400_000 + 1 }],
    ["limit.command", { max: 1, windowMs: 60_000, per: "user" }],
    ["limit.Command", { max: 1, windowMs: 60_000 }],
    ["limit.command", { state: "ENABLED", variants: { on: true }, defaultVariant: "on" }],
    ["feature.unlimitedCommands", "true"],
    ["feature.customBranding", { enabled: true }],
  ])("is refused where it says nothing that could be granted: %s %j", async (key, value) => {
    const acme = await tenant()
    for (const scope of ["~platform", acme.tenantId]) {
      const answer = await write(scope, key, value, {}, "QA")
      expect([answer.status, answer.body.code]).toEqual([
        422,
        key.startsWith("limit.") ? "LIMIT_INVALID" : "FEATURE_INVALID",
      ])
    }
    const secret = await write(
      acme.tenantId,
      "limit.hidden",
      { max: 1, windowMs: 60_000 },
      { secret: true },
      "QA",
    )
    expect(secret.body.code).toBe("LIMIT_INVALID")
  })
})
