import { describe, expect, test } from "vitest"
import { conflictOf } from "../../../core/change/conflict.ts"
import type { ReleaseId } from "../../../core/ids.ts"
import { actor, canary, candidateValue } from "./rollouts.ts"
import { key, MINUTE_MS, World } from "./world.ts"

/** `a` has been 1, 2 and 3, a minute apart; `releases` are what was stable then. */
const three = () => {
  const world = new World()
  const releases: ReleaseId[] = []
  const ids = [1, 2, 3].map((value) => {
    const id = world.set({ a: value, [`only${value}`]: true })
    releases.push(world.pointer.stable)
    world.pass(MINUTE_MS)
    return id
  })
  return { world, ids, releases }
}
const to = (more: { toRelease?: ReleaseId; asOf?: string } = {}) =>
  ({ type: "rollback_to", actor, ...more }) as const
const ago = (world: World, ms: number) => new Date(world.nowMs - ms).toISOString()

describe("rolling back to", () => {
  test("a release takes everything back that went live since, and returns to that very release", () => {
    const { world, ids, releases } = three()
    const { commit } = world.do(to({ toRelease: releases[0]! }))
    expect(world.pointer).toMatchObject({ stable: releases[0], stableChangeId: ids[0] })
    expect([commit.releases, commit.versions]).toEqual([[], []])
    expect(ids.map((id) => world.stateOf(id))).toEqual(["live", "rolled_back", "rolled_back"])
    world.set({ a: 4 })
    expect(world.entries().get(key("a"))?.version).toBe(4)
  })

  test("a time, or nothing more than the release before", () => {
    const { world, releases } = three()
    world.do(to({ asOf: ago(world, 1.5 * MINUTE_MS) }))
    expect(world.pointer.stable).toBe(releases[1])
    world.do(to())
    expect(world.pointer.stable).toBe(releases[0])
    world.do(to())
    expect(world.entries().size).toBe(0)
    expect(world.refuse(to()).code).toBe("ROLLBACK_NOTHING")
  })

  test("what is stable already, or never was, is refused", () => {
    const { world, releases } = three()
    expect(world.refuse(to({ toRelease: releases[2]! })).code).toBe("ROLLBACK_NOTHING")
    expect(world.refuse(to({ asOf: world.now })).code).toBe("ROLLBACK_NOTHING")
    expect(world.refuse(to({ toRelease: "f".repeat(64) as ReleaseId })).code).toBe("RELEASE_NOT_FOUND")
    expect(world.refuse(to({ asOf: "2025-01-01T00:00:00.000Z" })).code).toBe("ROLLBACK_WINDOW")
  })

  test("what was rolled back itself is refused, with a draft that leads there", () => {
    const { world, ids, releases } = three()
    world.do({ type: "rollback", changeId: ids[2]!, actor })
    const { code, extra } = world.refuse(to({ toRelease: releases[2]! }))
    expect(code).toBe("ROLLBACK_BURIED")
    expect(extra!.draft).toMatchObject({
      edits: [
        { key: "a", value: 3, restores: 3 },
        { key: "only3", value: true },
      ],
    })
    world.submit((extra!.draft as unknown as { edits: [] }).edits)
    expect([world.value("a"), world.value("only3")]).toEqual([3, true])
  })

  test("what was stable longer ago than the window is not found, up to the last millisecond", () => {
    const { world, releases } = three()
    // The second release took the first one's place so long ago.
    world.pass(world.policy.rollbackWindowMs - 2 * MINUTE_MS - 1)
    expect(world.decide(to({ toRelease: releases[0]! })).kind).toBe("commit")
    world.pass(1)
    expect(world.refuse(to({ toRelease: releases[0]! })).code).toBe("RELEASE_NOT_FOUND")
    expect(world.decide(to({ toRelease: releases[1]! })).kind).toBe("commit")
  })

  test("leaves a rollout of other keys running, takes one of these along, and cancels what waits for them", () => {
    for (const [name, isApart] of [
      ["z", true],
      ["only3", false],
    ] as const) {
      const { world, releases } = three()
      const rollout = world.set({ [name]: "new" }, canary)
      const waiting = world.set({ a: 9 }, { startAt: new Date(world.nowMs + MINUTE_MS).toISOString() })
      world.do(to({ toRelease: releases[0]! }))
      if (isApart) expect([candidateValue(world, "z"), candidateValue(world, "a")]).toEqual(["new", 1])
      else expect(world.change(rollout).status).toMatchObject({ state: "rolled_back", reason: "superseded" })
      expect(world.change(waiting).status).toMatchObject({ reason: "base_moved", keys: ["a"] })
    }
  })

  test("a release that was returned to once may be returned to again", () => {
    const { world, releases } = three()
    world.do(to({ toRelease: releases[0]! }))
    world.pass(MINUTE_MS)
    world.set({ a: 5 })
    world.do(to({ toRelease: releases[0]! }))
    expect(world.pointer.stable).toBe(releases[0])
  })

  test.each(["before it", "the change before it", "before it, among many"])(
    "keeps what the tenant is granted when it goes back once more: %s",
    (how) => {
      const world = new World()
      const many = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`k${n}`, "x".repeat(500)]))
      world.set(how.endsWith("many") ? { ...many, early: 1 } : { early: 1 })
      world.pass(MINUTE_MS)
      const middle = world.set({ plain: 1 })
      const before = world.pointer.stable
      world.pass(MINUTE_MS)
      const limit = { max: 3, windowMs: 60_000 }
      const granted = world.set({ "limit.command": limit }, { mayGrant: true })
      world.pass(MINUTE_MS)
      world.set({ other: 2 })
      world.pass(MINUTE_MS)
      world.do(to({ toRelease: before }))
      expect([world.value("limit.command"), world.value("plain")]).toEqual([limit, 1])
      world.pass(MINUTE_MS)
      if (how.startsWith("the change")) world.do({ type: "rollback", changeId: middle, actor })
      else world.do(to())
      expect([world.value("limit.command"), world.value("plain")]).toEqual([limit, undefined])
      expect([world.value("early"), world.stateOf(granted)]).toEqual([1, "live"])
    },
  )

  test("a state whose moves were read later than the rest is a conflict, and decided anew", () => {
    const { world } = three()
    const { pointer } = world
    world.history.push({ ...pointer, stable: "e".repeat(64) as ReleaseId, seq: pointer.seq + 1 })
    world.moves.push({ ...world.moves.at(-1)!, cause: "live" })
    expect(world.refuse(to()).code).toBe("CHANGE_CONFLICT")
  })
})

test("a change that was overtaken is shown key by key, with a draft that makes the same edits on what is there", () => {
  const world = new World()
  world.set({ a: "base", b: 1 })
  const base = world.entries()
  const startAt = new Date(world.nowMs + MINUTE_MS).toISOString()
  const mine = world.submit(
    [
      { key: key("a"), value: "mine", description: "what a is" },
      { key: key("b"), delete: true },
    ],
    { startAt },
  )
  world.set({ a: "theirs" })
  const { keys, draft } = conflictOf(world.change(mine), base, world.entries())
  expect(keys).toEqual([
    {
      key: "a",
      base: { value: "base", version: 1 },
      now: { value: "theirs", version: 2 },
      yours: { value: "mine", description: "what a is" },
    },
  ])
  world.submit((draft as Extract<typeof draft, { edits: unknown }>).edits)
  expect([world.value("a"), world.value("b")]).toEqual(["mine", undefined])
})
