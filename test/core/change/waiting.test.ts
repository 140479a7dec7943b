import { describe, expect, test } from "vitest"
import type { Change } from "../../../core/change/change.ts"
import { alice } from "./people.ts"
import { actor, canary, candidateValue, person, started } from "./rollouts.ts"
import { key, World } from "./world.ts"

describe("beside a rollout", () => {
  test("a direct change to other keys is live at once on both arms", () => {
    const { world, id } = started()
    const direct = world.set({ z: 2 })
    expect(world.stateOf(direct)).toBe("live")
    expect([world.value("z"), candidateValue(world, "z")]).toEqual([2, 2])
    expect([world.value("a"), candidateValue(world, "a")]).toEqual([1, 2])
    expect(world.pointer.candidate).toMatchObject({ changeId: id, step: 0 })
    expect(world.moves.at(-1)).toMatchObject({ cause: "live", changeId: direct })
  })

  test("a direct change to the same key waits, and is cancelled when the rollout is live", () => {
    const { world, id } = started()
    const waiting = world.set({ a: 3 })
    expect(world.change(waiting).status).toMatchObject({ state: "scheduled", waitingFor: id })
    expect(world.dueAt(waiting)).toBe(world.change(waiting).content.expiresAt)
    expect(world.tick(waiting)).toBe("nothing")
    for (const step of [0, 1]) world.do({ type: "advance", changeId: id, step, by: person })
    expect(world.change(waiting).status).toMatchObject({
      state: "cancelled",
      reason: "base_moved",
      keys: ["a"],
    })
  })

  test("a direct change to the same key is live in the commit that rolls the rollout back", () => {
    const { world, id } = started()
    const waiting = world.set({ a: 3 })
    const { result } = world.do({ type: "abort", changeId: id, by: person })
    expect(world.stateOf(waiting)).toBe("live")
    expect(world.entries().get(key("a"))).toEqual({ value: 3, version: 3 })
    expect(result.affected).toEqual([{ changeId: waiting, state: "live", reason: null }])
    expect(world.moves.at(-1)).toMatchObject({ cause: "live", changeId: waiting })
  })

  test("a second gradual rollout waits, and starts in the commit that frees the place", () => {
    for (const end of ["abort", "live"] as const) {
      const { world, id } = started()
      const second = world.set({ z: 2 }, canary)
      const third = world.set({ y: 2 }, canary)
      expect(world.change(second).status).toMatchObject({ state: "scheduled", waitingFor: id })
      if (end === "abort") world.do({ type: "abort", changeId: id, by: person })
      else for (const step of [0, 1]) world.do({ type: "advance", changeId: id, step, by: person })
      expect(world.stateOf(second)).toBe("rolling_out")
      expect(world.change(third).status).toMatchObject({ state: "scheduled", waitingFor: second })
      expect(candidateValue(world, "a")).toBe(end === "abort" ? 1 : 2)
    }
  })

  test("one that is not due yet does not take the place, and waits for it when it is due", () => {
    const { world, id } = started()
    const startAt = new Date(world.nowMs + 1_000).toISOString()
    const second = world.set({ z: 2 }, { ...canary, startAt })
    expect([world.stateOf(second), world.dueAt(second)]).toEqual(["scheduled", startAt])
    world.pass(1_000)
    expect(world.tick(second)).toBe("commit")
    expect(world.change(second).status).toMatchObject({ waitingFor: id })
    expect(world.tick(second)).toBe("nothing")
  })

  test("a waiting change may be cancelled, and does not start afterwards", () => {
    const { world, id } = started()
    const second = world.set({ z: 2 }, canary)
    world.do({ type: "cancel", changeId: second, actor: alice.actor })
    world.do({ type: "abort", changeId: id, by: person })
    expect(world.stateOf(second)).toBe("cancelled")
    expect(world.pointer.candidate).toBeNull()
  })

  test("stable moves once in a commit: a second direct change is left to the clock, at once, and none overtakes it", () => {
    const { world, id } = started()
    world.do({ type: "abort", changeId: id, by: person })
    const rollout = world.set({ a: 5, z: 5 }, canary)
    const first = world.set({ a: 6 })
    const second = world.set({ z: 6 })
    const third = world.set({ y: 6 }, canary)
    world.do({ type: "abort", changeId: rollout, by: person })
    expect([first, second, third].map((each) => world.stateOf(each))).toEqual([
      "live",
      "scheduled",
      "scheduled",
    ])
    expect([world.dueAt(second), world.dueAt(third)]).toEqual([world.now, world.now])
    expect(world.change(second).status).not.toHaveProperty("waitingFor")
    expect(world.tick(third)).toBe("commit")
    expect([second, third].map((each) => world.stateOf(each))).toEqual(["live", "rolling_out"])
    expect(candidateValue(world, "z")).toBe(6)
  })

  test("a waiting change whose edits do not fit any more is cancelled as invalid, and says why", () => {
    const world = new World()
    const big = Object.fromEntries(Array.from({ length: 6_000 }, (_, i) => [`k${i}`, 1]))
    const more = Object.fromEntries(Array.from({ length: 6_000 }, (_, i) => [`m${i}`, 1]))
    const rollout = world.set({ x: 1 }, canary)
    const waiting = world.set(big, canary)
    world.set(more)
    world.do({ type: "abort", changeId: rollout, by: person })
    expect(world.change(waiting).status).toMatchObject({ state: "cancelled", reason: "invalid", by: "clock" })
    expect(world.pointer.candidate).toBeNull()
  })
})

describe("at the start", () => {
  /** A change as only a fault could have left it: it waits, and what it was checked against has changed. */
  const damaged = (damage: (content: Change["content"]) => Partial<Change["content"]>) => {
    const world = new World()
    const id = world.set({ a: 1 }, { startAt: new Date(world.nowMs + 1).toISOString() })
    const { change, dueAt } = world.changes.get(id)!
    world.changes.set(id, {
      dueAt,
      change: { ...change, content: { ...change.content, ...damage(change.content) } },
    })
    world.pass(1)
    world.tick(id)
    return world.change(id).status
  }

  test("the versions of the edited keys are compared once more", () => {
    expect(damaged(() => ({ base: { [key("a")]: 7 } }))).toMatchObject({
      state: "cancelled",
      reason: "base_moved",
      keys: ["a"],
    })
  })

  test("the values are held to their schemas once more", () => {
    const status = damaged(({ edits }) => ({
      edits: edits.map((edit) => ({ ...edit, schema: { type: "string" } })),
    }))
    expect(status).toMatchObject({
      state: "cancelled",
      reason: "invalid",
      detail: expect.stringContaining("SCHEMA_VIOLATION"),
    })
  })
})

describe("large configuration", () => {
  test("edits, rollouts and rollbacks load only the chunks they need, and find the rest when they need it", () => {
    const world = new World()
    const filler = "x".repeat(20_000)
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`big${i}`, filler]))
    const head = world.set(many)
    expect(world.release().manifest.bits).toBeGreaterThan(0)
    const rollout = world.set({ a: 1 }, canary)
    const second = world.set({ b: 1 }, canary)
    const third = world.set({ c: 1 }, canary)
    world.set({ d: 1 })
    expect(candidateValue(world, "d")).toBe(1)
    world.do({ type: "abort", changeId: rollout, by: person })
    expect(world.stateOf(second)).toBe("rolling_out")
    expect(world.refuse({ type: "rollback", changeId: head, actor })).toMatchObject({
      code: "ROLLBACK_BURIED",
    })
    const { stable } = world.pointer
    const shrunk = world.submit(Object.keys(many).map((name) => ({ key: key(name), delete: true })))
    expect(world.release().manifest.bits).toBe(0)
    world.do({ type: "rollback", changeId: shrunk, actor })
    expect(world.pointer.stable).toBe(stable)
    expect(candidateValue(world, "b")).toBe(1)
    world.do({ type: "abort", changeId: second, by: person })
    expect(world.stateOf(third)).toBe("rolling_out")
  })
})
