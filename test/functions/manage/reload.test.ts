import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { createWorld, type World } from "./world.ts"

let world: World
let told: string[]
let isRedisUp = true

beforeAll(async () => {
  world = await createWorld()
  Object.assign(world.platform.publisher, {
    reload: async (scope: string, environment: string, type: string) => {
      told.push(`${scope} ${environment} ${type}`)
      return isRedisUp
    },
  })
})
afterAll(() => world.close())
beforeEach(() => {
  told = []
  isRedisUp = true
})

const reload = (body: unknown, more: { token?: string; headers?: Record<string, string> } = {}) =>
  world.call("POST", "/api/v1/reload", { body, ...more })

const auditedReloads = async (tenantId: string) => {
  const { body } = await world.call<{ items: { actor: string; detail: unknown }[] }>(
    "GET",
    `/api/v1/audit?tenantId=${tenantId}&action=view.reload`,
  )
  return body.items
}

describe("a reload", () => {
  test("of one tenant is told to its readers in every environment, or in one, and says who asked", async () => {
    const { tokens } = await world.tenant("reloaded")
    const { environments } = world.platform.settings
    const answer = await reload({ tenantId: "reloaded", type: "tenant_config" }, { token: tokens.manager })
    expect(answer).toMatchObject({
      status: 200,
      body: { tenantId: "reloaded", environments, type: "tenant_config" },
    })
    expect(told).toEqual(environments.map((environment) => `reloaded ${environment} tenant_config`))
    told = []
    await reload({ tenantId: "reloaded", type: "feature_flag", environment: "qa" })
    expect(told).toEqual(["reloaded QA feature_flag"])
    const entries = await auditedReloads("reloaded")
    expect(entries.map(({ detail }) => detail)).toEqual([
      { type: "feature_flag", environments: ["QA"] },
      { type: "tenant_config", environments },
    ])
  })

  test("of everybody is the platform's to ask", async () => {
    const { tokens } = await world.tenant("modest")
    const mine = await reload({ type: "global_config" }, { token: tokens.tenant_admin })
    expect(mine).toMatchObject({ status: 400, body: { code: "TENANT_UNNAMED" } })
    const named = await reload(
      { type: "global_config", tenantId: "~platform" },
      { token: tokens.tenant_admin },
    )
    expect(named).toMatchObject({ status: 404, body: { code: "TENANT_NOT_FOUND" } })
    expect(told).toEqual([])
    const all = await reload({ type: "global_config", environment: "Production" })
    expect(all).toMatchObject({ status: 200, body: { tenantId: null } })
    expect(told).toEqual(["~platform Production global_config"])
    expect(await auditedReloads("~platform")).toHaveLength(1)
  })

  test("takes a manager or an admin of that tenant, whose token's environment it keeps to", async () => {
    const { tokens } = await world.tenant("strict")
    const { tokens: others } = await world.tenant("stranger")
    const body = { tenantId: "strict", type: "tenant_config" }
    for (const role of ["viewer", "engineer", "compliance"] as const)
      expect((await reload(body, { token: tokens[role] })).body.code, role).toBe("FORBIDDEN")
    expect((await reload(body, { token: others.manager })).body.code).toBe("TENANT_NOT_FOUND")
    expect((await reload({ ...body, tenantId: "nobody" })).body.code).toBe("TENANT_NOT_FOUND")
    expect(told).toEqual([])
    const bound = { subject: "bound", roles: ["manager"], environment: "Staging" }
    const made = await world.call<{ token: string }>("POST", "/api/v1/tenants/strict/tokens", { body: bound })
    await reload(body, { token: made.body.token })
    expect(told).toEqual(["strict Staging tenant_config"])
  })

  test("of something else than there is, is refused", async () => {
    for (const body of [{}, { type: "everything" }, { type: "tenant_config", tenantId: 1 }])
      expect(await reload(body)).toMatchObject({ status: 400, body: { code: "BODY_INVALID" } })
    const unknown = await reload({ type: "tenant_config", environment: "Moon" })
    expect(unknown.body.code).toBe("ENVIRONMENT_UNKNOWN")
    expect(told).toEqual([])
  })

  test("that Redis does not take is no success, not even when it is asked for again under the same key", async () => {
    await world.tenant("unheard")
    isRedisUp = false
    const once = { headers: { "idempotency-key": "reload-1" } }
    const body = { tenantId: "unheard", type: "tenant_config", environment: "QA" }
    expect(await reload(body, once)).toMatchObject({ status: 503, body: { code: "PUSH_UNAVAILABLE" } })
    isRedisUp = true
    expect((await reload(body, once)).status).toBe(200)
    expect((await reload(body, once)).status).toBe(200)
    expect(told).toHaveLength(2)
  })
})
