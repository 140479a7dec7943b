import { describe, expect, test } from "vitest"
import { actor, candidateValue, clock, person, started } from "./rollouts.ts"
import { key, MINUTE_MS } from "./world.ts"

describe("a canary", () => {
  test("gives the candidate its versions at the start and leaves stable alone", () => {
    const { world, id } = started()
    expect(world.pointer.candidate).toMatchObject({ changeId: id, step: 0, weightBp: 1_000 })
    expect([world.value("a"), candidateValue(world, "a"), candidateValue(world, "z")]).toEqual([1, 2, 1])
    expect(world.change(id).versions).toEqual({ a: 2 })
    expect(world.moves.at(-1)).toMatchObject({ cause: "start", changeId: id })
  })

  test("steps on by the clock when each hold is over, and is live after the last", () => {
    const { world, id } = started()
    expect(world.dueAt(id)).toBe("2026-03-01T12:01:00.000Z")
    world.pass(MINUTE_MS - 1)
    expect(world.tick(id)).toBe("nothing")
    world.pass(1)
    expect(world.tick(id)).toBe("commit")
    expect(world.pointer.candidate).toMatchObject({ step: 1, weightBp: 5_000 })
    expect(world.tick(id)).toBe("nothing")
    const candidate = world.pointer.candidate!.release
    world.pass(2 * MINUTE_MS)
    world.tick(id)
    expect(world.stateOf(id)).toBe("live")
    expect(world.pointer).toMatchObject({ stable: candidate, stableChangeId: id, candidate: null })
    expect(world.dueAt(id)).toBeNull()
  })

  test("a clock that comes late steps once, and every step is held in full", () => {
    const { world, id } = started()
    world.pass(60 * MINUTE_MS)
    world.tick(id)
    expect(world.pointer.candidate).toMatchObject({ step: 1 })
    expect(world.dueAt(id)).toBe("2026-03-01T13:02:00.000Z")
  })

  test("a messenger that names a step the rollout has left does nothing; a person is told", () => {
    const { world, id } = started()
    world.pass(MINUTE_MS)
    expect(world.run({ type: "advance", changeId: id, step: 0, by: clock }).kind).toBe("commit")
    expect(world.run({ type: "advance", changeId: id, step: 0, by: clock }).kind).toBe("nothing")
    expect(world.refuse({ type: "advance", changeId: id, step: 0, by: person }).code).toBe("CHANGE_STEP")
  })

  test("a person may cut a hold short", () => {
    const { world, id } = started()
    world.do({ type: "advance", changeId: id, step: 0, by: person })
    world.do({ type: "advance", changeId: id, step: 1, by: person })
    expect(world.value("a")).toBe(2)
  })

  test("what was held before a pause counts, the pause does not", () => {
    const { world, id } = started()
    world.pass(MINUTE_MS - 10)
    world.do({ type: "pause", changeId: id, actor })
    expect(world.dueAt(id)).toBeNull()
    world.pass(60 * MINUTE_MS)
    expect(world.tick(id)).toBe("nothing")
    expect(world.refuse({ type: "advance", changeId: id, by: person }).code).toBe("CHANGE_STATE")
    expect(world.refuse({ type: "pause", changeId: id, actor }).code).toBe("CHANGE_STATE")
    world.do({ type: "resume", changeId: id, actor })
    world.pass(9)
    expect(world.tick(id)).toBe("nothing")
    world.pass(1)
    expect(world.tick(id)).toBe("commit")
  })

  test("an abort puts everyone back and touches no version, paused or not", () => {
    for (const isPaused of [false, true]) {
      const { world, id } = started()
      const { stable } = world.pointer
      if (isPaused) world.do({ type: "pause", changeId: id, actor })
      world.do({ type: "abort", changeId: id, by: person, comment: "slow" })
      expect(world.change(id).status).toMatchObject({
        state: "rolled_back",
        reason: "aborted",
        comment: "slow",
      })
      expect(world.pointer).toMatchObject({ stable, candidate: null })
      world.set({ a: 3 })
      expect(world.entries().get(key("a"))).toEqual({ value: 3, version: 3 })
      expect(world.versions.filter((row) => row.key === "a").map(({ version }) => version)).toEqual([1, 2, 3])
    }
  })

  test("a verdict rolls back as an abort does, and does nothing a second time", () => {
    const { world, id } = started()
    const verdict = { type: "abort", changeId: id, by: clock, reason: "unhealthy" } as const
    expect(world.run(verdict).kind).toBe("commit")
    expect(world.change(id).status).toMatchObject({ reason: "unhealthy", by: "clock" })
    expect(world.run(verdict).kind).toBe("nothing")
  })
})

test("what somebody says who holds a rollout, or takes it on, is kept among its comments", () => {
  const { world, id } = started()
  world.do({ type: "pause", changeId: id, actor, comment: "errors in the shop" })
  world.do({ type: "resume", changeId: id, actor, comment: "they were there before" })
  world.do({ type: "advance", changeId: id, step: 0, by: person, comment: "seen enough" })
  world.do({ type: "advance", changeId: id, step: 1, by: person })
  expect(world.change(id).comments.map(({ subject, text }) => [subject, text])).toEqual([
    ["bob", "errors in the shop"],
    ["bob", "they were there before"],
    ["bob", "seen enough"],
  ])
})
