import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { DEFAULT_CHAIN } from "../../../core/change/policy.ts"
import { type Ask, createWorld, must, type World } from "./world.ts"

interface Shown {
  policy: { stages: object[]; strategy: object; expiresAfterMs: number; gate: Record<string, number> }
  own: object | null
  version: number
  layers: { scope: string; locked: boolean; document: object }[]
  changeId: string
  state: string
  code: string
  errors: { path: string }[]
}

let world: World
let acme: Awaited<ReturnType<World["tenant"]>>
beforeAll(async () => {
  world = await createWorld()
  acme = await world.tenant("acme", "Pro")
})
afterAll(() => world.close())

const pathOf = (scope: string, environment: string) =>
  `/api/v1/tenants/${scope}/environments/${environment}/policy`
const read = async (scope: string, environment: string, token?: string) =>
  await must(world.call<Shown>("GET", pathOf(scope, environment), token ? { token } : {}), 200)
const put = (scope: string, environment: string, body: object, ask: Ask = {}) =>
  world.call<Shown>("PUT", pathOf(scope, environment), { body, ...ask })
const submit = (environment: string, key: string, more: object = {}) =>
  world.call<{ changeId: string; state: string; code: string; plan: object[]; frozen: object | null }>(
    "POST",
    "/api/v1/changes",
    {
      token: acme.tokens.engineer,
      body: { tenantId: "acme", environment, edits: [{ key, value: 1 }], ...more },
    },
  )

describe("the policy of an environment", () => {
  test("is complete for whoever reads it, and says which layer says what", async () => {
    const { body, headers } = await read("acme", "Production", acme.tokens.viewer)
    expect(body.policy).toMatchObject({ stages: DEFAULT_CHAIN, strategy: { type: "canary" } })
    expect(body).toMatchObject({ own: null, version: 0, layers: [] })
    expect(headers.get("etag")).toBe('"0"')
  })

  test("is in force from the answer on that says so, for edits, lists and what is shown", async () => {
    const stages = [{ role: "manager", required: 1 }]
    const set = await must(
      put("acme", "QA", { stages, gate: { requestsMin: 5 } }, { token: acme.tokens.manager }),
      200,
    )
    expect(set.headers.get("etag")).toBe('"1"')
    expect(set.body).toMatchObject({
      version: 1,
      own: { stages },
      policy: { stages, gate: { requestsMin: 5 } },
    })
    expect(set.body.policy.gate.failingInstancesMin).toBe(3)
    const filed = await must(submit("QA", "asked"), 202)
    expect(filed.body).toMatchObject({ state: "awaiting_approval", stages: [{ role: "manager" }] })
    const list = await must(
      world.call("GET", "/api/v1/approvals?tenantId=acme", { token: acme.tokens.manager }),
      200,
    )
    expect(list.body).toMatchObject({ items: [{ changeId: filed.body.changeId }] })
  })

  test("is altered under the policy that is in force, by others than its author", async () => {
    const eased = await must(put("acme", "QA", { stages: [] }, { token: acme.tokens.tenant_admin }), 202)
    expect(eased.body).toMatchObject({ state: "awaiting_approval", stages: [{ role: "manager" }] })
    expect((await read("acme", "QA")).body.version).toBe(1)
    const path = `/api/v1/approvals/${eased.body.changeId}/approve`
    await must(world.call("POST", path, { token: acme.tokens.tenant_admin }), 403)
    await must(world.call("POST", path, { token: acme.tokens.manager }), 200)
    expect((await read("acme", "QA")).body).toMatchObject({ version: 2, policy: { stages: [] } })
  })

  test("takes If-Match for its own version, and is inherited again once it is deleted", async () => {
    const body = { expiresAfterMs: 3_600_000 }
    const at = (tag: string): Ask => ({ headers: { "if-match": tag } })
    expect((await must(put("acme", "Staging", body, at("*")), 412)).body.code).toBe("VERSION_STALE")
    await must(put("acme", "Staging", body, at('"0"')), 200)
    expect((await must(put("acme", "Staging", { stages: [] }, at('"0"')), 412)).body.code).toBe(
      "VERSION_STALE",
    )
    expect((await must(put("acme", "Staging", body), 422)).body.code).toBe("CHANGE_EMPTY")
    const path = pathOf("acme", "Staging")
    const gone = await must(world.call<Shown>("DELETE", path, at('"1"')), 200)
    expect(gone.body).toMatchObject({ own: null, version: 0, layers: [] })
    expect(gone.body.policy.expiresAfterMs).toBeGreaterThan(body.expiresAfterMs)
    expect((await must(world.call("DELETE", path), 422)).body.code).toBe("CHANGE_EMPTY")
  })

  test("of the platform and the tiers is the platform's admins', and holds where it is locked", async () => {
    const development = "Development"
    await must(put("~platform", development, { expiresAfterMs: 120_000, locked: true }), 200)
    await must(put("~tier.Pro", development, { expiresAfterMs: 240_000, promoteFromAny: true }), 200)
    const { body } = await read("acme", development, acme.tokens.viewer)
    expect(body.policy).toMatchObject({ expiresAfterMs: 120_000, promoteFromAny: true })
    expect(body.layers).toMatchObject([
      { scope: "~platform", locked: true },
      { scope: "~tier.Pro", locked: false },
    ])
    const token = acme.tokens.tenant_admin
    await must(put("~platform", development, { stages: [] }, { token }), 404)
    const own = await put("acme", development, { stages: [], locked: true }, { token })
    expect(own.body).toMatchObject({ code: "POLICY_INVALID", errors: [{ path: "/locked" }] })
  })

  test("of a farther layer is shown as far as it speaks to this one: waves name other tenants", async () => {
    const waves = [{ tenants: ["globex", "initech"] }, { weightBp: 10_000 }]
    const strategy = { type: "rolling", waves }
    const document = { strategy, allowedStrategies: ["rolling", "direct"], remindEveryMs: 60_000 }
    await must(put("~platform", "Staging", document), 200)
    const { text, body } = await read("acme", "Staging", acme.tokens.viewer)
    expect(text).not.toContain("globex")
    expect(body.layers[0]).toEqual({
      scope: "~platform",
      version: 1,
      locked: false,
      document: { allowedStrategies: ["rolling", "direct"], remindEveryMs: 60_000 },
    })
    expect((await read("~platform", "Staging")).body.own).toEqual(document)
    await must(world.call("DELETE", pathOf("~platform", "Staging")), 200)
  })

  test("that is not rolled back, or was overtaken, comes with a draft of it to be put", async () => {
    interface Drafted {
      draft: { policy: object }
      conflict: { draft: { policy: object } }
    }
    const drafted = async (answer: Promise<{ body: Drafted }>) => (await answer).body
    const set = await must(put("acme", "Staging", { promoteFromAny: true }), 200)
    const next = await must(put("acme", "Staging", { stages: [{ role: "manager", required: 1 }] }), 200)
    const back = (changeId: string) =>
      drafted(world.call<Drafted>("POST", `/api/v1/changes/${changeId}/rollback`))
    const comment = expect.any(String)
    expect((await back(set.body.changeId)).draft).toEqual({
      tenantId: "acme",
      environment: "Staging",
      policy: { comment },
    })
    const { draft } = await back(next.body.changeId)
    expect(draft.policy).toEqual({ promoteFromAny: true, comment })
    const easing = await must(put("acme", "Staging", draft.policy), 202)
    const late = await must(put("acme", "Staging", { breakGlass: [] }), 202)
    const approve = `/api/v1/approvals/${easing.body.changeId}/approve`
    await must(world.call("POST", approve, { token: acme.tokens.manager }), 200)
    const overtaken = await drafted(world.call<Drafted>("GET", `/api/v1/changes/${late.body.changeId}`))
    expect(overtaken.conflict.draft.policy).toEqual({ breakGlass: [], comment })
    await must(put("acme", "Staging", overtaken.conflict.draft.policy), 200)
    await must(world.call("DELETE", pathOf("acme", "Staging")), 200)
  })

  test("names everything that is wrong with what was sent, and alters nothing", async () => {
    const wrong = { stages: [{ role: "viewer", required: 0 }], expiresAfterMs: "soon", colour: "red" }
    const { body } = await must(put("acme", "QA", wrong), 422)
    expect(body.code).toBe("POLICY_INVALID")
    expect(body.errors.map(({ path }) => path).sort()).toEqual([
      "/colour",
      "/expiresAfterMs",
      "/stages/0/required",
      "/stages/0/role",
    ])
    expect((await read("acme", "QA")).body.version).toBe(2)
    expect((await put("acme", "QA", { comment: 7 })).body.code).toBe("BODY_INVALID")
  })

  test("is no config: nobody reads, lists or edits it as one, nor promotes it", async () => {
    const list = await world.call<{ items: unknown[] }>("GET", "/api/v1/configs?tenantId=acme&environment=QA")
    expect(list.body.items).toEqual([])
    await must(world.call("GET", "/api/v1/configs/acme:QA:~policy"), 404)
    const edits = [{ key: "~policy", value: { stages: [] } }]
    const edit = { tenantId: "acme", environment: "QA", edits }
    expect((await world.call("POST", "/api/v1/changes", { body: edit })).body.code).toBe("KEY_INVALID")
    const all = { tenantId: "acme", environment: "Staging", promote: { from: "QA" } }
    expect((await world.call("POST", "/api/v1/changes", { body: all })).body.code).toBe("PROMOTION_EMPTY")
  })
})

describe("what a policy forbids", () => {
  test("a strategy that it does not allow is refused, also in a preview", async () => {
    await must(put("acme", "QA", { strategy: { type: "direct" }, allowedStrategies: ["direct"] }), 200)
    const strategy = { type: "blue_green" }
    const refused = await must(submit("QA", "forbidden", { strategy }), 422)
    expect(refused.body.code).toBe("STRATEGY_FORBIDDEN")
    const body = { tenantId: "acme", environment: "QA", edits: [{ key: "x", value: 1 }], strategy }
    const preview = await must(world.call("POST", "/api/v1/changes/preview", { body }), 200)
    expect(preview.body).toMatchObject({ valid: false, problem: { code: "STRATEGY_FORBIDDEN" } })
  })

  test("frozen, a direct change waits and says until when; a rollback passes", async () => {
    const before = await must(submit("QA", "thawed"), 202)
    expect(before.body.state).toBe("live")
    const now = world.platform.clock.nowMs()
    const local = (ms: number) => new Date(ms).toISOString().slice(0, 16)
    const freeze = {
      name: "the fair",
      timeZone: "UTC",
      from: local(now - 3_600_000),
      until: local(now + 3_600_000),
    }
    await must(put("acme", "QA", { freezes: [freeze] }), 200)
    const frozen = await must(submit("QA", "iced"), 202)
    expect(frozen.body).toMatchObject({
      state: "scheduled",
      frozen: { name: "the fair", until: new Date(`${freeze.until}Z`).toISOString() },
    })
    await must(world.call("POST", "/api/v1/tenants/acme/environments/QA/rollback"), 200)
    world.moveClock(2 * 3_600_000)
    await world.advance.tick()
    const path = `/api/v1/changes/${frozen.body.changeId}`
    expect((await world.call("GET", path)).body).toMatchObject({ state: "live", frozen: null })
  })
})

test("nothing of all that was unforeseen", () => {
  expect(world.logged).toEqual([])
})
