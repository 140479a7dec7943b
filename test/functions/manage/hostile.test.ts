import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createWorld, must, type World } from "./world.ts"

let world: World
let acme: Awaited<ReturnType<World["tenant"]>>
beforeAll(async () => {
  world = await createWorld()
  acme = await world.tenant("acme", "Pro")
  for (const environment of ["QA", "Staging"])
    await must(
      world.call("POST", "/api/v1/configs", {
        body: { tenantId: "acme", environment, key: "plan", value: `${environment}'s own` },
      }),
      201,
    )
})
afterAll(() => world.close())

const cursorOf = (...parts: unknown[]) => Buffer.from(JSON.stringify(parts)).toString("base64url")
const AUDIT = "/api/v1/audit?tenantId=acme"
const CONFIG = "/api/v1/configs/acme:Staging:plan"

describe("what PostgreSQL would choke on is refused before it is asked", () => {
  test.each([
    ["a word for a number in a cursor", "CURSOR_INVALID", `${AUDIT}&cursor=${cursorOf("audit", "abc")}`],
    ["half a number in a cursor", "CURSOR_INVALID", `${AUDIT}&cursor=${cursorOf("audit", 1.5)}`],
    ["too large a number in a cursor", "CURSOR_INVALID", `${AUDIT}&cursor=${cursorOf("audit", 1e300)}`],
    [
      "a version beyond all versions",
      "CURSOR_INVALID",
      `${CONFIG}/versions?cursor=${cursorOf("versions", 1e12)}`,
    ],
    [
      "NUL in a change's cursor",
      "CURSOR_INVALID",
      `/api/v1/changes?tenantId=acme&cursor=${cursorOf("changes", "\0")}`,
    ],
    [
      "NUL in a token's cursor",
      "CURSOR_INVALID",
      `/api/v1/tenants/acme/tokens?cursor=${cursorOf("tokens", "a\0")}`,
    ],
    ["NUL in a tenant's cursor", "CURSOR_INVALID", `/api/v1/tenants?cursor=${cursorOf("tenants", "\0")}`],
    ["NUL in an actor", "QUERY_INVALID", `${AUDIT}&actor=%00`],
    ["NUL in an action", "QUERY_INVALID", `${AUDIT}&action=%00`],
    ["NUL in a target", "QUERY_INVALID", `${AUDIT}&target=a%00b`],
    ["the year 0", "QUERY_INVALID", `${AUDIT}&from=0000-01-01T00:00:00Z`],
    ["an offset of 18 hours", "QUERY_INVALID", `${AUDIT}&to=2026-01-01T00:00:00%2B18:00`],
    ["a fraction of 5,000 digits", "QUERY_INVALID", `${AUDIT}&to=2026-01-01T00:00:00.${"1".repeat(5_000)}Z`],
    ["NUL in an external id of a path", "TENANT_NOT_FOUND", "/api/v1/tenants/discord:%00"],
    ["NUL in an external id of a query", "TENANT_NOT_FOUND", "/api/v1/changes?tenantId=discord:%00"],
    ["a difference from a version beyond all", "VERSION_NOT_FOUND", `${CONFIG}/diff?from=99999999999&to=1`],
  ])("%s: %s", async (_what, code, path) => {
    expect((await world.call("GET", path)).body.code).toBe(code)
  })

  test("a version to go back to, beyond all", async () => {
    const answer = await world.call("POST", `${CONFIG}/rollback`, { body: { toVersion: 99_999_999_999 } })
    expect(answer.body.code).toBe("VERSION_NOT_FOUND")
  })
})

describe("a token bound to one environment", () => {
  test("promotes nothing out of another, and sees nothing of it in a preview", async () => {
    const token = await acme.issue("bound@acme", ["engineer"], "Staging")
    const body = { tenantId: "acme", environment: "Staging", promote: { from: "QA", keys: ["plan"] } }
    for (const path of ["/api/v1/changes/preview", "/api/v1/changes"]) {
      const answer = await world.call("POST", path, { token, body })
      expect([answer.status, answer.text.includes("QA's own")]).toEqual([403, false])
    }
  })

  test("reads in the audit what happened there and to the tenant, and of no other environment", async () => {
    const token = await acme.issue("auditor@acme", ["compliance"], "QA")
    const { body } = await must(
      world.call<{ items: { environment?: string; action: string }[] }>("GET", AUDIT, { token }),
      200,
    )
    expect(new Set(body.items.map(({ environment }) => environment))).toEqual(new Set(["QA", undefined]))
    const unbound = await must(
      world.call<{ items: { environment?: string }[] }>("GET", AUDIT, { token: acme.tokens.compliance }),
      200,
    )
    expect(unbound.body.items.some(({ environment }) => environment === "Staging")).toBe(true)
  })
})

describe("a tenant's admin", () => {
  test("claims no external id: whoever holds one is read in its owner's place", async () => {
    const body = { externalIds: { discord: "somebody-elses" } }
    const answer = await world.call("PATCH", "/api/v1/tenants/acme", {
      token: acme.tokens.tenant_admin,
      body,
    })
    expect(answer.body.code).toBe("FORBIDDEN")
    await must(world.call("PATCH", "/api/v1/tenants/acme", { body }), 200)
  })

  test.each(["clock", "platform", "alice ", " alice", "al\nice", "al\u202eice"])(
    "issues no token that would pass for another: %j",
    async (subject) => {
      const answer = await world.call("POST", "/api/v1/tenants/acme/tokens", {
        token: acme.tokens.tenant_admin,
        body: { subject, roles: ["engineer"] },
      })
      expect(answer.body.code).toBe("BODY_INVALID")
    },
  )

  test("keeps no megabytes beside a tenant, and no thousands of external ids", async () => {
    const deployments = { note: "x".repeat(70_000) }
    const externalIds = Object.fromEntries(Array.from({ length: 40_000 }, (_, n) => [`s${n}`, "1"]))
    for (const body of [{ deployments }, { quotas: deployments }, { externalIds }])
      expect((await world.call("PATCH", "/api/v1/tenants/acme", { body })).body.code).toBe("BODY_INVALID")
  })
})

test("a body of nothing but mistakes is answered with the first of them, and how many more there are", async () => {
  const raw = `{${Array.from({ length: 20_000 }, (_, n) => `"${n}":0`).join(",")}}`
  const answer = await world.call<{ detail: string; errors: unknown[] }>("PATCH", "/api/v1/tenants/acme", {
    raw,
  })
  expect([answer.status, answer.body.errors.length]).toEqual([400, 100])
  expect(answer.body.detail).toContain("And 19997 more.")
  expect(answer.text.length).toBeLessThan(20_000)
})

test("a reader token that no header could carry is not issued", async () => {
  const tenants = ["acme"]
  for (let n = 0; n < 12; n++) {
    const tenantId = `t${n}-${"x".repeat(55)}`
    await must(world.call("POST", "/api/v1/tenants", { body: { tenantId, name: tenantId } }), 201)
    tenants.push(...Array.from({ length: 12 }, () => tenantId))
  }
  const body = { subject: "edge", roles: ["reader"], tenants, environment: "QA" }
  const answer = await world.call("POST", "/api/v1/tokens", { body })
  expect(answer.body.code).toBe("BODY_INVALID")
  await must(world.call("POST", "/api/v1/tokens", { body: { ...body, tenants: tenants.slice(0, 50) } }), 201)
})
