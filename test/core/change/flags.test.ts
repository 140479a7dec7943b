import { describe, expect, test } from "vitest"
import type { Json } from "../../../core/json.ts"
import { alice } from "./people.ts"
import { actor, canary, candidateValue, person } from "./rollouts.ts"
import { editing, key, World } from "./world.ts"

const flag = (...needs: readonly string[]): Json => ({
  state: "ENABLED",
  variants: { on: true, off: false },
  defaultVariant: "on",
  ...(needs.length > 0 ? { prerequisites: needs.map((name) => ({ flag: name, variants: ["on"] })) } : {}),
})
const SHORT = { state: "ENABLED", variants: { on: true, off: false } }
const worldWith = (values: Record<string, Json>) => {
  const world = new World()
  world.set(values)
  return world
}
const refused = (world: World, values: Record<string, Json>, rest = {}) => {
  const before = world.pointer
  const refusal = world.refuse(world.submitCommand(editing(values), rest))
  expect(world.pointer).toBe(before)
  return refusal
}

describe("a key that holds a flag", () => {
  test("takes the short form, keeps it whole, and takes what is kept again", () => {
    const world = worldWith({ a: flag() })
    world.set({ a: { enabled: true, percentage: 5 } })
    expect(world.value("a")).toEqual({ enabled: true, percentage: 5, ...SHORT })
    expect(refused(world, { a: world.value("a")! }).code).toBe("CHANGE_EMPTY")
    expect(refused(world, { a: { enabled: false, ...SHORT } }).errors).toEqual([
      { path: "a/state", message: expect.stringContaining("DISABLED") },
    ])
  })

  test("holds a flag until it is deleted, and the same value elsewhere is what it looks like", () => {
    const world = worldWith({ a: flag(), b: { enabled: true } })
    expect(world.value("b")).toEqual({ enabled: true })
    for (const value of [1, null, "off", [flag()], { variants: {} }])
      expect(refused(world, { a: value as Json }).code).toBe("FLAG_INVALID")
    world.submit([{ key: key("a"), delete: true }])
    world.set({ a: 1 })
    world.set({ a: flag() })
    expect(refused(world, { a: 1 }).code).toBe("FLAG_INVALID")
  })
})

describe("prerequisites that go round in a circle", () => {
  test("are refused in one change, and over what is stable", () => {
    const world = worldWith({ a: flag(), b: flag("a") })
    expect(refused(world, { a: flag("b") })).toMatchObject({
      code: "FLAG_INVALID",
      errors: [{ path: "a/prerequisites" }],
    })
    expect(refused(world, { c: flag("d"), d: flag("e"), e: flag("c") }).code).toBe("FLAG_INVALID")
    world.set({ a: flag("b"), b: flag() })
  })

  test("are refused when they are filed, before anybody is asked to approve them", () => {
    const world = worldWith({ a: flag(), b: flag("a") })
    expect(refused(world, { a: flag("b") }, { approvalRequired: true }).code).toBe("FLAG_INVALID")
    expect(world.changes.size).toBe(1)
  })

  test("are seen in whichever chunk the flags are", () => {
    const world = worldWith({ a: flag(), b: flag("a"), c: flag("b") })
    const large = Object.fromEntries(
      Array.from({ length: 30 }, (_, index) => [`large${index}`, "x".repeat(20_000)]),
    )
    world.set(large)
    expect(world.release().manifest.bits).toBeGreaterThan(2)
    expect(refused(world, { a: flag("c") }).code).toBe("FLAG_INVALID")
    world.set({ d: flag("c") })
  })

  test("are refused when they come of what is stable and what rolls out, together", () => {
    const world = worldWith({ a: flag(), b: flag() })
    world.set({ a: flag("b") }, canary)
    expect(refused(world, { b: flag("a") }).code).toBe("FLAG_INVALID")
    world.set({ b: flag(), c: flag("a") })
    expect(candidateValue(world, "a")).toEqual(flag("b"))
  })

  test("never start: a change that waited and closes a circle by now is cancelled, and says why", () => {
    const world = worldWith({ a: flag(), b: flag() })
    const first = world.set({ a: flag("b") }, canary)
    const second = world.set({ b: flag("a") }, canary)
    expect(world.stateOf(second)).toBe("scheduled")
    for (const step of [0, 1]) world.do({ type: "advance", changeId: first, step, by: person })
    expect(world.change(second).status).toMatchObject({ state: "cancelled", reason: "invalid" })
    expect(world.change(second).status).toMatchObject({ detail: expect.stringContaining("FLAG_INVALID") })
    expect(world.pointer.candidate).toBeNull()
  })

  test("do not stop a rollback: the rollout that would close one goes with it", () => {
    const world = worldWith({ a: flag(), b: flag("a") })
    const head = world.set({ b: flag() })
    const rollout = world.set({ a: flag("b") }, canary)
    expect(world.stateOf(rollout)).toBe("rolling_out")
    world.do({ type: "rollback", changeId: head, actor })
    expect(world.value("b")).toEqual(flag("a"))
    expect(world.change(rollout).status).toMatchObject({ state: "rolled_back", reason: "superseded" })
  })

  test("a flag that would need too many others, or make another need them, is refused", () => {
    const chain = (from: number, to: number): Record<string, Json> =>
      Object.fromEntries(
        Array.from({ length: to - from }, (_, index) => [`f${from + index}`, flag(`f${from + index + 1}`)]),
      )
    const world = worldWith({ ...chain(0, 60), f60: flag() })
    expect(refused(world, { ...chain(60, 120), f120: flag() })).toMatchObject({ code: "FLAG_INVALID" })
    expect(refused(world, { ...chain(200, 9_000) }).code).toBe("FLAG_INVALID")
    world.set({ ...chain(60, 99), f99: flag() }, {}, alice)
  })
})
