import { describe, expect, test } from "vitest"
import type { ChangeId } from "../../../core/ids.ts"
import { actor, canary, candidateValue, person, started } from "./rollouts.ts"
import { editing, key, World } from "./world.ts"

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
