import { describe, expect, test } from "vitest"
import type { Strategy } from "../../../core/change/change.ts"
import { editsOfPromotion } from "../../../core/change/edits.ts"
import type { Environment } from "../../../core/environment.ts"
import type { ReleaseId } from "../../../core/ids.ts"
import { alice, bob } from "./people.ts"
import { DIRECT, editing, key, World } from "./world.ts"

const a = key("a")
const STRING = { type: "string" }

describe("submitting", () => {
  test("a direct change that asks nobody is live in the commit that brings it", () => {
    const world = new World()
    const { commit, change, result } = world.do(
      world.submitCommand(editing({ a: 1, b: "x" }), { comment: "first" }),
    )
    expect(change!.status).toMatchObject({ state: "live", previousChangeId: null })
    expect(change!.versions).toEqual({ a: 1, b: 1 })
    expect(commit.pointer).toMatchObject({ cause: "live", candidate: null, tier: "Pro" })
    expect(result).toMatchObject({ seq: 1, stable: world.pointer.stable, affected: [] })
    expect(commit.versions).toMatchObject([
      { key: "a", version: 1, author: "alice", reason: "first" },
      { key: "b", version: 1 },
    ])
    expect(commit.audit.map(({ action }) => action)).toEqual(["change.submit", "change.live"])
    expect(world.entries()).toEqual(
      new Map([
        [a, { value: 1, version: 1 }],
        [key("b"), { value: "x", version: 1 }],
      ]),
    )
  })

  test("an edit keeps what it leaves out, and null takes away", () => {
    const world = new World()
    world.submit([{ key: a, value: "x", schema: STRING, description: "d", owner: "o", locked: true }])
    world.submit([{ key: a, value: "y" }])
    expect(world.entries().get(a)).toEqual({ value: "y", version: 2, schema: STRING, locked: true })
    expect(world.metadata(a)).toEqual({ description: "d", owner: "o" })
    world.submit([{ key: a, schema: null, description: null, locked: false }])
    expect(world.entries().get(a)).toEqual({ value: "y", version: 3 })
    expect(world.metadata(a)).toEqual({ owner: "o" })
  })

  test("null is a value like any other", () => {
    const world = new World()
    world.set({ a: null })
    expect(world.entries().get(a)).toEqual({ value: null, version: 1 })
  })

  test("a delete is a version without a value, and numbers go on after it", () => {
    const world = new World()
    world.submit([{ key: a, value: 1, description: "d" }])
    world.submit([{ key: a, delete: true }])
    expect(world.entries().has(a)).toBe(false)
    world.set({ a: 1 })
    expect(world.entries().get(a)).toEqual({ value: 1, version: 3 })
    expect(world.metadata(a)).toEqual({})
  })

  test.each([
    ["the same value", { key: a, value: { x: [1], y: null } }],
    ["the same value, written in another order", { key: a, value: { y: null, x: [1] } }],
    ["the same schema", { key: a, schema: { type: "object" } }],
    ["the same description", { key: a, description: "d" }],
    ["no lock where there was none", { key: a, locked: false }],
    ["nothing at all", { key: a }],
  ])("an edit to %s alters nothing", (_, edit) => {
    const world = new World()
    world.submit([{ key: a, value: { x: [1], y: null }, schema: { type: "object" }, description: "d" }])
    expect(world.refuse(world.submitCommand([edit])).code).toBe("CHANGE_EMPTY")
  })

  test("edits that alter nothing are left out of a change that alters something else", () => {
    const world = new World()
    world.set({ a: 1, b: 1 })
    const id = world.set({ a: 1, b: 2 })
    expect(world.change(id).versions).toEqual({ b: 2 })
    expect(world.change(id).content.base).toEqual({ b: 1 })
  })

  test("a change without edits is empty", () => {
    expect(new World().refuse(new World().submitCommand([])).code).toBe("CHANGE_EMPTY")
  })

  test("a key that is edited twice is refused", () => {
    const world = new World()
    const twice = [...editing({ a: 1 }), ...editing({ a: 2 })]
    expect(world.refuse(world.submitCommand(twice)).code).toBe("BODY_INVALID")
  })

  test("what is not there can be neither edited in part nor deleted", () => {
    const world = new World()
    expect(world.refuse(world.submitCommand([{ key: a, description: "d" }])).code).toBe("CONFIG_NOT_FOUND")
    expect(world.refuse(world.submitCommand([{ key: a, delete: true }])).code).toBe("CONFIG_NOT_FOUND")
  })

  test("If-Match means the stable version, and 0 means none", () => {
    const world = new World()
    world.submit([{ key: a, value: 1, ifMatch: 0 }])
    expect(world.refuse(world.submitCommand([{ key: a, value: 2, ifMatch: 0 }]))).toMatchObject({
      code: "VERSION_STALE",
      errors: [{ path: "a" }],
    })
    world.submit([{ key: a, value: 2, ifMatch: 1 }])
  })

  test("a key that has to be new must not be there", () => {
    const world = new World()
    world.submit([{ key: a, value: 1, mustBeNew: true }])
    expect(world.refuse(world.submitCommand([{ key: a, value: 2, mustBeNew: true }])).code).toBe(
      "CONFIG_EXISTS",
    )
    world.submit([{ key: a, delete: true }])
    world.submit([{ key: a, value: 2, mustBeNew: true }])
  })

  test("a value is held to its own schema, and to the one the key has", () => {
    const world = new World()
    const bad = world.refuse(world.submitCommand([{ key: a, value: 1, schema: STRING }]))
    expect(bad.code).toBe("SCHEMA_VIOLATION")
    expect(bad.errors?.[0]?.path).toMatch(/^a/)
    world.submit([{ key: a, value: "x", schema: STRING }])
    expect(world.refuse(world.submitCommand([{ key: a, value: 1 }])).code).toBe("SCHEMA_VIOLATION")
    expect(world.refuse(world.submitCommand([{ key: a, schema: { type: "number" } }])).code).toBe(
      "SCHEMA_VIOLATION",
    )
    expect(world.refuse(world.submitCommand([{ key: a, schema: { type: 7 } }])).code).toBe("SCHEMA_INVALID")
    expect(world.value("a")).toBe("x")
  })

  test("a value or a configuration over its limit is refused, also while it awaits approval", () => {
    for (const approvalRequired of [false, true]) {
      const world = new World()
      const huge = "x".repeat(256 * 1_024)
      expect(world.refuse(world.submitCommand(editing({ a: huge }), { approvalRequired })).code).toBe(
        "VALUE_TOO_LARGE",
      )
      const many = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`k${i}`, 1]))
      expect(world.refuse(world.submitCommand(editing(many), { approvalRequired })).code).toBe(
        "RELEASE_TOO_LARGE",
      )
      expect(world.pointer.seq).toBe(0)
    }
  })

  test("a start before now or after the expiry is refused; one between is kept until then", () => {
    const world = new World()
    const at = (ms: number) => new Date(world.nowMs + ms).toISOString()
    for (const startAt of ["soon", at(-1), at(world.policy.expiresAfterMs)])
      expect(world.refuse(world.submitCommand(editing({ a: 1 }), { startAt })).code).toBe("SCHEDULE_INVALID")
    const id = world.set({ a: 1 }, { startAt: at(1_000) })
    expect([world.stateOf(id), world.dueAt(id)]).toEqual(["scheduled", at(1_000)])
    expect(world.tick(id)).toBe("nothing")
    world.pass(1_000)
    expect(world.tick(id)).toBe("commit")
    expect(world.stateOf(id)).toBe("live")
  })

  test("a change takes the place of the one it replaces", () => {
    const world = new World({ policy: { stages: [{ role: "manager", required: 1 }] } })
    const first = world.set({ a: 1 })
    const second = world.set({ a: 2 }, { replaces: first })
    expect(world.change(first).status).toMatchObject({ state: "cancelled", reason: "cancelled" })
    world.approve(second, bob)
    expect(world.refuse(world.submitCommand(editing({ a: 3 }), { replaces: second })).code).toBe(
      "CHANGE_STATE",
    )
  })

  test("an id that is taken is a conflict", () => {
    const world = new World()
    const changeId = world.set({ a: 1 }, { approvalRequired: true })
    expect(world.refuse(world.submitCommand(editing({ a: 2 }), { changeId })).code).toBe("CHANGE_CONFLICT")
  })
})

describe("strategies", () => {
  const canary = (...steps: [number, number | null][]): Strategy => ({
    type: "canary",
    steps: steps.map(([weightBp, holdMs]) => ({ weightBp, holdMs })),
  })

  test.each([
    ["no step", canary()],
    ["weights that do not rise", canary([100, 0], [100, 0])],
    ["a weight of everyone", canary([10_000, 0])],
    ["a negative weight", canary([-1, 0])],
    ["a broken weight", canary([0.5, 0])],
    ["a hold of more than a day", canary([1, 86_400_001])],
    ["a negative hold", canary([1, -1])],
    ["too many steps", canary(...Array.from({ length: 21 }, (_, i): [number, number] => [i, 0]))],
  ])("%s is not a strategy", (_, strategy) => {
    const world = new World()
    expect(world.refuse(world.submitCommand(editing({ a: 1 }), { strategy })).code).toBe("STRATEGY_INVALID")
  })

  test("the platform and tiers have no subjects to divide", () => {
    for (const scope of ["~platform", "~tier.Pro"]) {
      const world = new World({ scope })
      const strategy = canary([1, 0])
      expect(world.refuse(world.submitCommand(editing({ a: 1 }), { strategy })).code).toBe(
        "STRATEGY_UNSUITABLE",
      )
      expect(world.stateOf(world.set({ a: 1 }))).toBe("live")
    }
  })

  test("the policy's strategy holds where none is named", () => {
    const world = new World({ environment: "Production", policy: { stages: [] } })
    expect(world.stateOf(world.set({ a: 1 }))).toBe("rolling_out")
    expect(world.stateOf(world.set({ b: 1 }, { strategy: DIRECT }))).toBe("live")
  })
})

describe("promotion", () => {
  const release = "1".repeat(64) as ReleaseId
  const from = (environment: string) => ({
    environment: environment as Environment,
    release,
    versions: { [a]: 4 },
  })
  const STAGING = "Staging" as Environment
  const edits = editsOfPromotion(
    [{ key: a, entry: { value: "x", version: 4, schema: STRING }, description: "d" }],
    STAGING,
  )
  const target = () => new World({ environment: "Production", policy: { strategy: DIRECT, stages: [] } })

  test("copies value, schema and description to the next environment", () => {
    const world = target()
    const id = world.submit(edits, { promotedFrom: from("Staging") })
    expect(world.entries().get(a)).toEqual({ value: "x", version: 1, schema: STRING })
    expect(world.metadata(a)).toEqual({ description: "d" })
    expect(world.change(id).content.promotedFrom).toEqual(from("Staging"))
  })

  test("takes away a schema and a lock that the source does not have", () => {
    const world = target()
    world.submit([{ key: a, value: 1, schema: { type: "number" }, locked: true, owner: "o" }])
    world.submit(editsOfPromotion([{ key: a, entry: { value: "x", version: 1 } }], STAGING), {
      promotedFrom: from("Staging"),
    })
    expect(world.entries().get(a)).toEqual({ value: "x", version: 2 })
    expect(world.metadata(a)).toEqual({ owner: "o" })
  })

  test("goes only to the next environment, and back never", () => {
    const world = target()
    expect(world.refuse(world.submitCommand(edits, { promotedFrom: from("QA") })).code).toBe(
      "PROMOTION_BACKWARDS",
    )
    expect(world.refuse(world.submitCommand(edits, { promotedFrom: from("Production") })).code).toBe(
      "PROMOTION_BACKWARDS",
    )
    const back = new World({ environment: "QA", policy: { promoteFromAny: true } })
    expect(back.refuse(back.submitCommand(edits, { promotedFrom: from("Staging") })).code).toBe(
      "PROMOTION_BACKWARDS",
    )
  })

  test("skips environments where the policy says so", () => {
    const world = target()
    world.policy = { ...world.policy, promoteFromAny: true }
    world.submit(edits, { promotedFrom: from("Development") })
    expect(world.value("a")).toBe("x")
  })

  test("of what is the same already alters nothing; of nothing is empty", () => {
    const world = target()
    world.submit(edits, { promotedFrom: from("Staging") })
    expect(world.refuse(world.submitCommand(edits, { promotedFrom: from("Staging") })).code).toBe(
      "CHANGE_EMPTY",
    )
    expect(world.refuse(world.submitCommand([], { promotedFrom: from("Staging") })).code).toBe(
      "PROMOTION_EMPTY",
    )
  })
})

describe("a change of tier", () => {
  test("moves the pointer and nothing else, once", () => {
    const world = new World()
    world.set({ a: 1 })
    const { stable } = world.pointer
    const { commit, change } = world.do({ type: "tier", tier: "Enterprise", actor: alice.actor })
    expect(change).toBeNull()
    expect(commit.pointer).toMatchObject({ tier: "Enterprise", stable, cause: "tier", changeId: null })
    expect(commit.audit).toMatchObject([{ action: "tenant.tier", detail: { from: "Pro", to: "Enterprise" } }])
    expect(world.run({ type: "tier", tier: "Enterprise", actor: alice.actor }).kind).toBe("nothing")
  })
})
