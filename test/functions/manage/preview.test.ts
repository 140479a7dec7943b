import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { openChecksums } from "./checksums.ts"
import { createWorld, must, type World } from "./world.ts"

interface Reached {
  step: number | null
  weightBp: number
  reached: number
  seeing: number
  examples: string[]
  exact: boolean
}
interface Preview {
  valid: boolean
  problem: { code: string; detail: string } | null
  change: { plan: object[] } | null
  stages: { role: string; required: number; mayApprove: string[] }[]
  plan: object[]
  audience: { of: string; lookedAt: number; truncated: boolean; alters: boolean; steps: Reached[] } | null
}

let world: World
let checksums: ReturnType<typeof openChecksums>
beforeAll(async () => {
  world = await createWorld()
  checksums = openChecksums(world.url("postgres"))
  for (const [tenantId, tier] of [
    ["ada", "Free"],
    ["bob", "Free"],
    ["cid", "Pro"],
    ["dee", "Enterprise"],
  ] as const)
    await world.tenant(tenantId, tier)
})
afterAll(async () => {
  await checksums.close()
  await world.close()
})

/** What a preview tells; it must have written nothing. */
const preview = async (body: object) => {
  const before = await checksums.read()
  const { body: told } = await must(world.call<Preview>("POST", "/api/v1/changes/preview", { body }), 200)
  expect(await checksums.read()).toEqual(before)
  return told
}
const submit = async (tenantId: string, edit: object) => {
  const body = { tenantId, environment: "QA", edits: [edit] }
  await must(world.call("POST", "/api/v1/changes", { body }), 202)
}
const subjects = (count: number) => Array.from({ length: count }, (_, n) => ({ targetingKey: `user-${n}` }))

describe("a preview of a tenant's change", () => {
  test("tells whose approvals it would owe, its plan, and how many would see it at each step", async () => {
    const edits = [{ key: "k", value: 1 }]
    const told = await preview({ tenantId: "ada", environment: "Production", edits, contexts: subjects(400) })
    expect(told.stages).toEqual([
      { role: "engineer", required: 1, mayApprove: ["engineer"] },
      { role: "manager", required: 1, mayApprove: ["manager"] },
      { role: "compliance", required: 1, mayApprove: ["compliance"] },
    ])
    expect(told.plan).toEqual(told.change!.plan)
    const { steps, ...audience } = told.audience!
    expect(audience).toEqual({ of: "subjects", lookedAt: 400, truncated: false, alters: true })
    expect(steps.map(({ step, weightBp, exact }) => [step, weightBp, exact])).toEqual([
      [0, 1_000, false],
      [1, 5_000, false],
      [null, 10_000, true],
    ])
    // 10 % and 50 % of 400, within six standard deviations; whoever is in stays in.
    expect(Math.abs(steps[0]!.seeing - 40)).toBeLessThan(36)
    expect(Math.abs(steps[1]!.seeing - 200)).toBeLessThan(60)
    expect(steps[2]).toMatchObject({ reached: 400, seeing: 400 })
    expect(steps.map(({ examples }) => examples.length)).toEqual(
      [20, 20, 20].map((n, i) => Math.min(n, steps[i]!.seeing)),
    )
  })

  test("says that nobody would see it while the platform has the key locked", async () => {
    await submit("~platform", { key: "held", value: 1, locked: true })
    const edits = [{ key: "held", value: 2 }]
    const { audience } = await preview({ tenantId: "ada", environment: "QA", edits, contexts: subjects(3) })
    expect(audience).toMatchObject({
      alters: false,
      steps: [{ step: null, reached: 3, seeing: 0, examples: [] }],
    })
  })

  test("of a change that would be refused says why, and nothing besides", async () => {
    const nobody = `ada:chg_${"0".repeat(32)}`
    const edits = [{ key: "k", value: 1 }]
    for (const [body, code] of [
      [{ edits: [{ key: "gone", delete: true }] }, "CONFIG_NOT_FOUND"],
      [{ edits, strategy: { type: "rolling", waves: [{ weightBp: 10_000 }] } }, "STRATEGY_UNSUITABLE"],
      [{ edits, replaces: nobody }, "CHANGE_NOT_FOUND"],
    ] as const) {
      const told = await preview({ tenantId: "ada", environment: "QA", ...body })
      expect(told).toMatchObject({
        valid: false,
        problem: { code },
        change: null,
        stages: [],
        audience: null,
      })
    }
  })
})

describe("a preview of a change of the platform or a tier", () => {
  test("tells which tenants each wave reaches, and which of them would see something else", async () => {
    await submit("bob", { key: "shared", value: "bob's own" })
    const strategy = {
      type: "rolling",
      waves: [{ tenants: ["dee"] }, { tier: "Free" }, { weightBp: 10_000, holdMs: 1_000 }],
    }
    const edits = [{ key: "shared", value: "everyone's" }]
    const told = await preview({ tenantId: "~platform", environment: "QA", edits, strategy })
    expect(told.audience).toMatchObject({ of: "tenants", lookedAt: 4, truncated: false, alters: true })
    expect(told.audience!.steps.map(({ reached, examples }) => [reached, examples])).toEqual([
      [1, ["dee"]],
      [3, ["ada", "dee"]],
      [4, ["ada", "cid", "dee"]],
      [4, ["ada", "cid", "dee"]],
    ])
    expect(told.plan.length).toBe(3)
  })

  test("of a tier looks at its tenants only, and platform admins approve it", async () => {
    const edits = [{ key: "shared", value: "the tier's" }]
    const told = await preview({ tenantId: "~tier.Free", environment: "Production", edits })
    expect(told.audience).toMatchObject({ lookedAt: 2, steps: [{ reached: 2, examples: ["ada", "bob"] }] })
    expect(told.stages[0]).toEqual({ role: "engineer", required: 1, mayApprove: ["platform_admin"] })
  })
})

describe("a rollout", () => {
  const path = (changeId: unknown, action = "") => `/api/v1/changes/${String(changeId)}${action}`
  const show = async (changeId: unknown) => (await must(world.call("GET", path(changeId)), 200)).body

  test("by waves shows whom it has reached by now", async () => {
    const strategy = {
      type: "rolling",
      waves: [{ tenants: ["dee"], holdMs: null }, { tier: "Free" }, { weightBp: 10_000 }],
    }
    const body = { tenantId: "~platform", environment: "QA", edits: [{ key: "waved", value: 1 }], strategy }
    const { changeId } = (await must(world.call("POST", "/api/v1/changes", { body }), 202)).body
    expect(await show(changeId)).toMatchObject({
      step: 0,
      audience: { weightBp: 0, tiers: [], tenants: ["dee"], excluded: [] },
      gate: { current: { kind: expect.any(String) } },
    })
    await must(world.call("POST", path(changeId, "/advance"), { body: { step: 0 } }), 200)
    expect(await show(changeId)).toMatchObject({ audience: { tiers: ["Free"], tenants: ["dee"] } })
    await must(world.call("POST", path(changeId, "/abort")), 200)
    expect(await show(changeId)).toMatchObject({ state: "rolled_back", audience: null })
  })

  test("from blue to green waits for a person, switches everyone, and back as quickly", async () => {
    const strategy = { type: "blue_green", bakeMs: 60_000 }
    const body = { tenantId: "ada", environment: "QA", edits: [{ key: "slot", value: 1 }], strategy }
    const { changeId } = (await must(world.call("POST", "/api/v1/changes", { body }), 202)).body
    world.moveClock(3_600_000)
    await world.advance.tick()
    expect(await show(changeId)).toMatchObject({ step: 0, audience: { weightBp: 0 } })
    await must(world.call("POST", path(changeId, "/advance"), { body: { step: 0 } }), 200)
    expect(await show(changeId)).toMatchObject({ step: 1, audience: { weightBp: 10_000 } })
    await must(world.call("POST", path(changeId, "/abort")), 200)
    expect(await show(changeId)).toMatchObject({ state: "rolled_back" })
  })
})

test("nothing of all that was unforeseen", () => {
  expect(world.logged).toEqual([])
})
