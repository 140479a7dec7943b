import { describe, expect, test } from "vitest"
import type { Strategy } from "../../../core/change/change.ts"
import type { ChangeId } from "../../../core/ids.ts"
import { alice, bob } from "./people.ts"
import { DIRECT, editing, key, MINUTE_MS, World } from "./world.ts"

const CANARY: Strategy = {
  type: "canary",
  steps: [
    { weightBp: 1_000, holdMs: MINUTE_MS },
    { weightBp: 5_000, holdMs: 2 * MINUTE_MS },
  ],
}
const canary = { strategy: CANARY }
const person = { kind: "person", actor: bob.actor } as const
const clock = { kind: "clock" } as const
const actor = bob.actor

const started = () => {
  const world = new World()
  world.set({ a: 1, z: 1 })
  return { world, id: world.set({ a: 2 }, canary) }
}
const candidateValue = (world: World, name: string) => world.value(name, world.pointer.candidate!.release)

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

describe("rolling back", () => {
  const rollback = (changeId: ChangeId) => ({ type: "rollback", changeId, actor }) as const

  test("returns to the very release there was before, without new versions", () => {
    const world = new World()
    const first = world.set({ a: 1 })
    const before = world.pointer
    const second = world.set({ a: 2, b: 2 })
    const { commit } = world.do(rollback(second))
    expect(world.pointer).toMatchObject({ stable: before.stable, stableChangeId: first, seq: before.seq + 2 })
    expect([commit.versions, commit.releases, commit.chunks]).toEqual([[], [], []])
    expect(commit.pointer).toMatchObject({ cause: "rolled_back", changeId: second })
    expect(world.change(second).status).toMatchObject({
      state: "rolled_back",
      reason: "rolled_back",
      by: "bob",
    })
    world.set({ a: 3 })
    expect(world.entries().get(key("a"))?.version).toBe(3)
  })

  test("goes on to the change before, and to nothing at all", () => {
    const world = new World()
    const empty = world.pointer.stable
    const ids = [world.set({ a: 1 }), world.set({ a: 2 })]
    world.do(rollback(ids[1]!))
    world.do(rollback(ids[0]!))
    expect(world.pointer).toMatchObject({ stable: empty, stableChangeId: null })
    expect(world.refuse(rollback(ids[0]!)).code).toBe("CHANGE_STATE")
  })

  test("takes a finished canary back as well", () => {
    const { world, id } = started()
    const { stable } = world.pointer
    for (const step of [0, 1]) world.do({ type: "advance", changeId: id, step, by: person })
    world.do(rollback(id))
    expect(world.pointer.stable).toBe(stable)
  })

  test("is not for a change that is still rolling out", () => {
    const { world, id } = started()
    expect(world.refuse(rollback(id))).toMatchObject({
      code: "CHANGE_STATE",
      detail: expect.stringContaining("abort"),
    })
  })

  test("of a buried change is refused with a draft that puts its keys back", () => {
    const world = new World()
    world.submit([{ key: key("a"), value: "old", schema: { type: "string" } }])
    const buried = world.submit([{ key: key("a"), value: 2, schema: null }, ...editing({ b: 2, c: 2 })])
    world.submit([...editing({ other: 1 }), { key: key("c"), delete: true }])
    const { code, extra } = world.refuse(rollback(buried))
    expect(code).toBe("ROLLBACK_BURIED")
    expect(extra!.draft).toEqual({
      tenantId: "acme-corp",
      environment: "Staging",
      comment: expect.stringContaining(buried),
      edits: [
        { key: "a", value: "old", schema: { type: "string" }, locked: false, restores: 1 },
        { key: "b", delete: true },
      ],
    })
    world.submit((extra!.draft as unknown as { edits: [] }).edits)
    expect([...world.entries()].map(([name, { value }]) => [name, value])).toEqual([
      ["a", "old"],
      ["other", 1],
    ])
  })

  test("after the window is refused with the same draft", () => {
    const world = new World()
    const id = world.set({ a: 1 })
    world.pass(world.policy.rollbackWindowMs)
    const decision = world.decide(rollback(id))
    expect(decision.kind).toBe("commit")
    world.pass(1)
    expect(world.refuse(rollback(id))).toMatchObject({
      code: "ROLLBACK_WINDOW",
      extra: { draft: { edits: [{ key: "a", delete: true }] } },
    })
  })

  test("leaves a rollout of other keys running, recompiled on what is stable again", () => {
    const world = new World()
    const head = world.set({ a: 1 })
    world.set({ b: 1 }, canary)
    world.do(rollback(head))
    expect([candidateValue(world, "a"), candidateValue(world, "b")]).toEqual([undefined, 1])
  })

  test("takes a rollout along that stands on the same keys", () => {
    const world = new World()
    const head = world.set({ a: 1 })
    const rollout = world.set({ a: 2 }, canary)
    const waiting = world.set({ a: 3 })
    world.do(rollback(head))
    expect(world.change(rollout).status).toMatchObject({ state: "rolled_back", reason: "superseded" })
    expect(world.change(waiting).status).toMatchObject({ state: "cancelled", reason: "base_moved" })
    expect(world.pointer.candidate).toBeNull()
  })

  test("takes a rollout along that would not fit beside what comes back", () => {
    const world = new World()
    const many = (letter: string) => Array.from({ length: 6_000 }, (_, i) => ({ key: key(`${letter}${i}`) }))
    world.submit(many("k").map((edit) => ({ ...edit, value: 1 })))
    const head = world.submit(many("k").map((edit) => ({ ...edit, delete: true as const })))
    const rollout = world.submit(
      many("m").map((edit) => ({ ...edit, value: 1 })),
      canary,
    )
    world.do(rollback(head))
    expect(world.change(rollout).status).toMatchObject({ state: "rolled_back", reason: "superseded" })
    expect(world.entries().size).toBe(6_000)
  })
})

describe("breaking glass", () => {
  const strict = () => new World({ policy: { stages: [{ role: "manager", required: 1 }], strategy: DIRECT } })
  const breakGlass = (changeId: ChangeId, who = actor) =>
    ({ type: "break_glass", changeId, actor: who }) as const

  test("makes a change live at once and leaves a review owed, by neither the author nor who broke it", () => {
    const world = strict()
    const id = world.set({ a: 1 }, canary)
    world.do(breakGlass(id))
    expect(world.change(id).status).toMatchObject({
      state: "live",
      brokenGlassBy: { subject: "bob" },
      review: { due: "2026-03-02T12:00:00.000Z" },
    })
    expect(world.value("a")).toBe(1)
    expect(world.refuse({ type: "review", changeId: id, actor: alice.actor }).code).toBe("APPROVAL_OWN")
    expect(world.refuse({ type: "review", changeId: id, actor }).code).toBe("APPROVAL_OWN")
    const reviewer = { ...actor, subject: "carol" }
    world.do({ type: "review", changeId: id, actor: reviewer, comment: "was right" })
    expect(world.change(id).status).toMatchObject({ review: { by: "carol", comment: "was right" } })
    expect(world.refuse({ type: "review", changeId: id, actor: reviewer }).code).toBe("REVIEW_NOT_DUE")
  })

  test("rolls back a rollout of the same keys first, and leaves one of others running on both arms", () => {
    for (const [name, isOverlapping] of [
      ["a", true],
      ["b", false],
    ] as const) {
      const world = strict()
      const rollout = world.set({ [name]: 1 }, canary)
      world.approve(rollout, bob)
      const id = world.set({ a: 2 })
      world.do(breakGlass(id))
      expect(world.value("a")).toBe(2)
      if (isOverlapping)
        expect(world.change(rollout).status).toMatchObject({ state: "rolled_back", reason: "broken_glass" })
      else expect(candidateValue(world, "a")).toBe(2)
    }
  })

  test("is refused while a review is overdue, also of a change that was rolled back", () => {
    for (const isRolledBack of [false, true]) {
      const world = strict()
      const first = world.set({ a: 1 })
      world.do(breakGlass(first))
      if (isRolledBack) world.do({ type: "rollback", changeId: first, actor })
      world.do(breakGlass(world.set({ b: 1 })))
      world.pass(world.policy.reviewWithinMs)
      const next = world.set({ c: 1 })
      expect(world.refuse(breakGlass(next)).code).toBe("REVIEW_OVERDUE")
      for (const [id, { change }] of world.changes)
        if ("review" in change.status)
          world.do({ type: "review", changeId: id, actor: { ...actor, subject: "carol" } })
      world.do(breakGlass(next))
    }
  })

  test("is for changes that have not started", () => {
    const { world, id } = started()
    expect(world.refuse(breakGlass(id)).code).toBe("CHANGE_STATE")
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
