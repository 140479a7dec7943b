import { describe, expect, test } from "vitest"
import type { Role } from "../../../core/access.ts"
import { POLICY_KEY } from "../../../core/change/policy.ts"
import type { ChangeId } from "../../../core/ids.ts"
import { alice, bob } from "./people.ts"
import { actor, canary, candidateValue, started } from "./rollouts.ts"
import { DIRECT, World } from "./world.ts"

describe("breaking glass", () => {
  const strict = () => new World({ policy: { stages: [{ role: "manager", required: 1 }], strategy: DIRECT } })
  const breakGlass = (changeId: ChangeId, roles: readonly Role[] = ["manager"]) =>
    ({ type: "break_glass", changeId, actor, roles }) as const

  test("makes a change live at once and leaves a review owed, by neither the author nor who broke it", () => {
    const world = strict()
    const id = world.set({ a: 1 }, canary)
    world.do({ ...breakGlass(id), comment: "orders fail" })
    expect(world.change(id).comments).toEqual([{ subject: "bob", at: world.now, text: "orders fail" }])
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
      const reviewer = { ...actor, subject: "carol" }
      const first = world.set({ a: 1 })
      world.do(breakGlass(first))
      if (isRolledBack) world.do({ type: "rollback", changeId: first, actor })
      const second = world.set({ b: 1 })
      world.do(breakGlass(second))
      world.do({ type: "review", changeId: second, actor: reviewer })
      world.pass(world.policy.reviewWithinMs)
      const next = world.set({ c: 1 })
      expect(world.refuse(breakGlass(next))).toMatchObject({
        code: "REVIEW_OVERDUE",
        detail: expect.stringContaining(first),
      })
      world.do({ type: "review", changeId: first, actor: reviewer })
      world.do(breakGlass(next))
    }
  })

  test("is for changes that have not started", () => {
    const { world, id } = started()
    expect(world.refuse(breakGlass(id)).code).toBe("CHANGE_STATE")
  })

  test("is for those whom the policy names, and for platform admins; for nobody where it names none", () => {
    const world = strict()
    const id = world.set({ a: 1 })
    for (const roles of [["engineer"], ["compliance"], []] as const)
      expect(world.refuse(breakGlass(id, roles)).code).toBe("BREAK_GLASS_FORBIDDEN")
    const { policy } = world
    world.policy = { ...policy, breakGlass: [] }
    expect(world.refuse(breakGlass(id, ["platform_admin", "manager"])).code).toBe("BREAK_GLASS_FORBIDDEN")
    world.policy = { ...policy, breakGlass: ["engineer"] }
    expect(world.refuse(breakGlass(id, ["manager"])).code).toBe("BREAK_GLASS_FORBIDDEN")
    for (const roles of [["engineer"], ["platform_admin"]] as const)
      expect(world.decide(breakGlass(id, roles)).kind).toBe("commit")
  })

  test("changes no policy: whoever may break glass could otherwise do away with all approvals", () => {
    const world = strict()
    const id = world.submit([{ key: POLICY_KEY, value: { stages: [] } }])
    expect(world.refuse(breakGlass(id, ["platform_admin"])).code).toBe("BREAK_GLASS_FORBIDDEN")
  })
})
