import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type Ask, createWorld, must, type World } from "./world.ts"

interface Told {
  code: string
  state: string
  changeId: string
  version: number
  rules: { id: string; scope: string }[]
  own: object[]
  broken: { id: string; scope: string; keys: string[]; arms: string[] }[]
  errors: { path: string; rule: string; scope: string; keys: string[]; message: string }[]
}

const POOL = {
  id: "pool-bounds",
  description: "The pool's minimum is at most its maximum.",
  require: { "<=": [{ var: "pool.min" }, { var: "pool.max" }] },
}
const PAID = {
  id: "paid",
  description: "Who takes money names the key to do it with.",
  when: { var: "pay.on" },
  forbid: { missing: ["pay.key"] },
}

let world: World
let acme: Awaited<ReturnType<World["tenant"]>>
beforeAll(async () => {
  world = await createWorld()
  acme = await world.tenant("acme", "Pro")
})
afterAll(() => world.close())

const pathOf = (scope: string, environment: string, part = "rules") =>
  `/api/v1/tenants/${scope}/environments/${environment}/${part}`
const put = (scope: string, environment: string, rules: unknown, ask: Ask = {}) =>
  world.call<Told>("PUT", pathOf(scope, environment), { body: { rules }, ...ask })
const read = async (scope: string, environment: string, ask: Ask = {}) =>
  (await must(world.call<Told>("GET", pathOf(scope, environment), ask), 200)).body
const edit = (tenantId: string, environment: string, values: Record<string, unknown>, more: object = {}) => ({
  tenantId,
  environment,
  edits: Object.entries(values).map(([key, value]) =>
    value === null ? { key, delete: true } : typeof value === "object" ? { key, ...value } : { key, value },
  ),
  ...more,
})
const submit = (body: object, path = "/api/v1/changes") => world.call<Told>("POST", path, { body })
const preview = async (body: object) =>
  (
    await must(
      world.call<{
        valid: boolean
        problem: Told | null
        audience: {
          breaking?: { tenants: number; examples: { tenantId: string; rules: { id: string }[] }[] }
        }
      }>("POST", "/api/v1/changes/preview", { body }),
      200,
    )
  ).body

describe("the rules of an environment", () => {
  test("are kept with its policy and apart from it, versioned, and read with those of every layer", async () => {
    const token = acme.tokens.manager
    const policy = pathOf("acme", "QA", "policy")
    await must(world.call("PUT", policy, { body: { promoteFromAny: true }, token }), 200)
    const set = await must(put("acme", "QA", [POOL], { token, headers: { "if-match": '"1"' } }), 200)
    expect(set.headers.get("etag")).toBe('"2"')
    expect(set.body).toMatchObject({ own: [POOL], rules: [{ scope: "acme", ...POOL }], version: 2 })
    await must(put("acme", "QA", [], { token, headers: { "if-match": '"1"' } }), 412)
    await must(world.call("DELETE", policy, { token }), 200)
    await must(put("~platform", "QA", [PAID]), 200)
    const both = await read("acme", "QA", { token: acme.tokens.viewer })
    expect(both.rules.map(({ scope, id }) => [scope, id])).toEqual([
      ["~platform", "paid"],
      ["acme", "pool-bounds"],
    ])
    expect(both).toMatchObject({ own: [POOL], version: 3, broken: [] })
    const history = await world.call<{ actions: unknown }>("GET", "/api/v1/audit?tenantId=acme&limit=3")
    expect(history.text).toContain("change.live")
    await must(put("acme", "QA", [POOL], { token: acme.tokens.engineer }), 403)
    await must(put("~platform", "QA", [POOL], { token }), 404)
  })

  test("that are not valid are refused with the place of what is wrong, and nothing is altered", async () => {
    const bad = [{ ...POOL, require: { "<=": [{ var: "pool.min" }, { var: "~policy" }] } }, { id: "x" }]
    const refused = await must(put("acme", "Staging", bad), 422)
    expect(refused.body).toMatchObject({
      code: "RULE_INVALID",
      errors: [{ path: "/rules/0/require/<=/1/var" }, { path: "/rules/1/description" }],
    })
    expect((await must(put("acme", "Staging", []), 422)).body.code).toBe("CHANGE_EMPTY")
    await must(world.call("PUT", pathOf("acme", "Staging"), { body: {} }), 400)
    expect(await read("acme", "Staging")).toMatchObject({ own: [], version: 0 })
  })

  test("are approved like all else in Production", async () => {
    const filed = await must(put("acme", "Production", [POOL]), 202)
    expect(filed.body.state).toBe("awaiting_approval")
    for (const role of ["engineer", "manager", "compliance"] as const)
      await must(
        world.call("POST", `/api/v1/approvals/${filed.body.changeId}/approve`, { token: acme.tokens[role] }),
        200,
      )
    expect((await read("acme", "Production")).own).toEqual([POOL])
  })
})

describe("a change", () => {
  test("that would break rules is refused with each of them, by whatever route it comes, and shown in advance", async () => {
    await must(put("acme", "Staging", [POOL, PAID]), 200)
    await must(submit(edit("acme", "Staging", { "pool.max": 5, "pool.min": 1 })), 202)
    const wrong = edit("acme", "Staging", { "pool.min": 6, "pay.on": true })
    const refused = await must(submit(wrong), 422)
    expect(refused.body).toMatchObject({
      code: "RULE_BROKEN",
      errors: [
        { path: "pool.min", rule: "pool-bounds", scope: "acme", keys: ["pool.min", "pool.max"] },
        { path: "pay.on", rule: "paid", keys: ["pay.on", "pay.key"] },
      ],
    })
    expect(refused.body.errors[1]!.message).toContain(PAID.description)
    const shown = await preview(wrong)
    expect([shown.valid, shown.problem?.errors]).toEqual([false, refused.body.errors])
    const config = "/api/v1/configs/acme:Staging:pool.max"
    await must(world.call("PUT", config, { body: { value: 0 } }), 422)
    await must(world.call("DELETE", config), 422)
    await must(
      world.call("POST", "/api/v1/configs", {
        body: { tenantId: "acme", environment: "Staging", key: "pay.on", value: 1 },
      }),
      422,
    )
    await must(submit(edit("acme", "QA", { "pool.max": 3 })), 202)
    await must(submit(edit("acme", "QA", { "pool.min": 2 })), 202)
    const promoted = { targetEnvironment: "Staging" }
    await must(world.call("PUT", "/api/v1/configs/acme:Staging:pool.min", { body: { value: 4 } }), 200)
    const body = await must(
      world.call<Told>("POST", "/api/v1/configs/acme:QA:pool.max/promote", { body: promoted }),
      422,
    )
    expect(body.body.errors).toMatchObject([{ rule: "pool-bounds" }])
  })

  test("with a secret in it is held to rules by the secret's being there, and no answer tells of it", async () => {
    const paid = edit("acme", "Staging", {
      "pay.on": true,
      "pay.key": { value: "sesame-7c1e", secret: true },
    })
    expect((await must(submit(paid), 202)).text).not.toContain("sesame-7c1e")
    const gone = await must(submit(edit("acme", "Staging", { "pay.key": null })), 422)
    expect([gone.body.code, gone.text.includes("sesame")]).toEqual(["RULE_BROKEN", false])
  })

  test("is asked of the layers as readers have them, and what it did not break holds nobody up", async () => {
    await world.tenant("globex", "Pro")
    await must(put("~tier.Pro", "Development", [POOL]), 200)
    await must(submit(edit("~platform", "Development", { "pool.max": 5 })), 202)
    const refused = await must(submit(edit("globex", "Development", { "pool.min": 6 })), 422)
    expect(refused.body.errors).toMatchObject([{ scope: "~tier.Pro", rule: "pool-bounds" }])
    await must(submit(edit("globex", "Development", { "pool.min": 4 })), 202)

    const lower = edit("~platform", "Development", { "pool.max": 3 })
    const shown = await preview(lower)
    expect([shown.valid, shown.audience.breaking]).toMatchObject([
      true,
      { tenants: 1, examples: [{ tenantId: "globex", rules: [{ id: "pool-bounds" }] }] },
    ])
    await must(submit(lower), 202)
    expect((await read("globex", "Development")).broken).toMatchObject([
      { scope: "~tier.Pro", id: "pool-bounds", keys: ["pool.min", "pool.max"], arms: ["stable"] },
    ])
    await must(submit(edit("globex", "Development", { other: 1 })), 202)
    await must(submit(edit("globex", "Development", { "pool.min": 5 })), 422)
    await must(submit(edit("globex", "Development", { "pool.min": 2 })), 202)
    expect((await read("globex", "Development")).broken).toEqual([])
  })

  test("that waited is held to them again when it starts, and is cancelled with what it would break", async () => {
    const low = await must(
      submit(edit("acme", "Staging", { "pool.min": 5 }, { approvalRequired: true })),
      202,
    )
    await must(submit(edit("acme", "Staging", { "pool.max": 4 })), 202)
    for (const role of ["engineer", "manager", "compliance"] as const)
      await must(
        world.call("POST", `/api/v1/approvals/${low.body.changeId}/approve`, { token: acme.tokens[role] }),
        200,
      )
    const ended = await must(
      world.call<{ state: string; status?: object }>("GET", `/api/v1/changes/${low.body.changeId}`),
      200,
    )
    expect(ended.body.state).toBe("cancelled")
    expect(ended.text).toContain("RULE_BROKEN")
  })
})
