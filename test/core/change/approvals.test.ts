import { describe, expect, test } from "vitest"
import type { Actor } from "../../../core/change/change.ts"
import { contentHashOf } from "../../../core/change/content-hash.ts"
import { DEFAULT_CHAIN } from "../../../core/change/policy.ts"
import { type ChangeId, PLATFORM } from "../../../core/ids.ts"
import {
  admin,
  alice,
  alicesHelper,
  bob,
  bobsHelper,
  carol,
  dan,
  engineer,
  manager,
  officer,
  type Person,
} from "./people.ts"
import { DIRECT, key, MINUTE_MS, World } from "./world.ts"

const production = () => new World({ environment: "Production", policy: { strategy: DIRECT } })
const approving = (changeId: ChangeId, { actor, roles }: Person) =>
  ({ type: "approve", changeId, actor, roles }) as const

describe("approvals", () => {
  test("stages are satisfied in order, and the last approval starts the change in the same commit", () => {
    const world = production()
    const id = world.set({ a: 1 })
    world.approve(id, engineer, manager)
    expect(world.stateOf(id)).toBe("awaiting_approval")
    expect(world.value("a")).toBeUndefined()
    world.approve(id, officer)
    expect(world.stateOf(id)).toBe("live")
    expect(world.value("a")).toBe(1)
    expect(world.change(id).approvals.map(({ role, actor }) => [role, actor.subject])).toEqual([
      ["engineer", "erin"],
      ["manager", "mike"],
      ["compliance", "cleo"],
    ])
  })

  test("whoever does not hold the role that is due is refused, however senior", () => {
    const world = production()
    const id = world.set({ a: 1 })
    const { code, detail } = world.refuse(approving(id, officer))
    expect(code).toBe("APPROVAL_ROLE")
    expect(detail).toContain("engineer")
  })

  test("the author's approval does not count, not even with another token", () => {
    const world = production()
    const id = world.set({ a: 1 })
    expect(world.refuse(approving(id, alice)).code).toBe("APPROVAL_OWN")
    const actor: Actor = { ...alice.actor, tokenId: "startup" }
    expect(world.refuse(approving(id, { ...alice, actor })).code).toBe("APPROVAL_OWN")
  })

  test("a token that the author issued does not count", () => {
    const world = production()
    const id = world.set({ a: 1 })
    expect(world.refuse(approving(id, alicesHelper)).code).toBe("APPROVAL_RELATED")
  })

  test("whoever issued the author's token is not a second person", () => {
    const world = production()
    const id = world.set({ a: 1 }, {}, bobsHelper)
    expect(world.refuse(approving(id, bob)).code).toBe("APPROVAL_RELATED")
  })

  test("of an approver and a token descending from theirs one counts, whichever comes first", () => {
    for (const [first, second] of [
      [bob, bobsHelper],
      [bobsHelper, bob],
    ] as const) {
      const world = production()
      const id = world.set({ a: 1 })
      world.approve(id, first)
      expect(world.refuse(approving(id, second)).code).toBe("APPROVAL_RELATED")
    }
  })

  test("tokens that descend from the start-up token's holder are not related by that", () => {
    const world = production()
    const startup: Person = { ...alice, actor: { subject: "platform", tokenId: "startup", ancestors: [] } }
    const id = world.set({ a: 1 }, {}, startup)
    const issued = { ...bob, actor: { ...bob.actor, ancestors: ["platform"] } }
    world.approve(id, issued, carol, dan)
    expect(world.stateOf(id)).toBe("live")
  })

  test("one person counts once, however many roles they hold", () => {
    const world = production()
    const id = world.set({ a: 1 })
    world.approve(id, bob)
    expect(world.refuse(approving(id, bob)).code).toBe("APPROVAL_TWICE")
    world.approve(id, carol, dan)
    expect(world.stateOf(id)).toBe("live")
  })

  test("a quorum waits for that many different people", () => {
    const world = new World({ policy: { stages: [{ role: "engineer", required: 2 }] } })
    const id = world.set({ a: 1 })
    world.approve(id, bob)
    expect(world.stateOf(id)).toBe("awaiting_approval")
    world.approve(id, carol)
    expect(world.stateOf(id)).toBe("live")
  })

  test("a platform admin stands for any role on the platform, once, and for none in a tenant", () => {
    const platform = new World({ scope: PLATFORM, policy: { stages: DEFAULT_CHAIN } })
    const id = platform.set({ a: 1 })
    platform.approve(id, admin)
    expect(platform.refuse(approving(id, admin)).code).toBe("APPROVAL_TWICE")
    const tenant = production()
    expect(tenant.refuse(approving(tenant.set({ a: 1 }), admin)).code).toBe("APPROVAL_ROLE")
  })

  test("an approval of other content than the change has is refused", () => {
    const world = production()
    const id = world.set({ a: 1 })
    const { contentHash } = world.change(id).content
    expect(world.refuse({ ...approving(id, bob), contentHash: "0".repeat(64) }).code).toBe(
      "CONTENT_HASH_STALE",
    )
    world.do({ ...approving(id, bob), contentHash })
  })

  test("the content hash binds edits, schemas, plan and base, and nothing else", () => {
    const { content } = ((world) => world.change(world.set({ a: 1 })))(production())
    const hash = contentHashOf(content)
    expect(hash).toBe(content.contentHash)
    const [edit] = content.edits
    expect(contentHashOf({ ...content, edits: [{ ...edit!, value: 2 }] })).not.toBe(hash)
    expect(contentHashOf({ ...content, edits: [{ ...edit!, schema: true }] })).not.toBe(hash)
    expect(contentHashOf({ ...content, plan: [{ weightBp: 1, holdMs: null }] })).not.toBe(hash)
    expect(contentHashOf({ ...content, base: { [key("a")]: 1 } })).not.toBe(hash)
    expect(contentHashOf(structuredClone(content))).toBe(hash)
  })

  test("approvalRequired adds the default chain where nobody is asked, and its absence weakens nothing", () => {
    const staging = new World()
    expect(staging.stateOf(staging.set({ a: 1 }, { approvalRequired: true }))).toBe("awaiting_approval")
    const strict = production()
    expect(strict.stateOf(strict.set({ a: 1 }, { approvalRequired: false }))).toBe("awaiting_approval")
  })

  test("a rejected change is over", () => {
    const world = production()
    const id = world.set({ a: 1 })
    world.do({ type: "reject", changeId: id, actor: bob.actor, comment: "no" })
    expect(world.change(id).status).toMatchObject({ state: "rejected", by: "bob", comment: "no" })
    expect(world.refuse(approving(id, carol)).code).toBe("CHANGE_STATE")
    expect(world.versions).toEqual([])
  })

  test("a change that was not approved in time expires, and an approval does not revive it", () => {
    const world = production()
    world.policy = { ...world.policy, remindEveryMs: null }
    const id = world.set({ a: 1 })
    expect(world.dueAt(id)).toBe(world.change(id).content.expiresAt)
    expect(world.tick(id)).toBe("nothing")
    world.pass(world.policy.expiresAfterMs)
    expect(world.refuse(approving(id, bob)).code).toBe("CHANGE_STATE")
    expect(world.tick(id)).toBe("commit")
    expect(world.stateOf(id)).toBe("expired")
    expect(world.dueAt(id)).toBeNull()
    expect(world.tick(id)).toBe("nothing")
  })

  test("another change that alters an edited key cancels it and says which key", () => {
    const world = production()
    const loser = world.set({ a: 1, b: 1 })
    const winner = world.set({ b: 2, c: 2 })
    const bystander = world.set({ d: 3 })
    world.approve(winner, bob, carol, dan)
    expect(world.change(loser).status).toMatchObject({
      state: "cancelled",
      reason: "base_moved",
      keys: ["b"],
      movedBy: winner,
    })
    expect(world.stateOf(bystander)).toBe("awaiting_approval")
  })

  test("a policy that was tightened since is asked again at the start", () => {
    const world = new World()
    const id = world.set({ a: 1 }, { startAt: new Date(world.nowMs + 1_000).toISOString() })
    expect(world.stateOf(id)).toBe("scheduled")
    world.policy = { ...world.policy, stages: [{ role: "manager", required: 1 }] }
    world.pass(1_000)
    world.tick(id)
    expect(world.stateOf(id)).toBe("awaiting_approval")
    world.approve(id, bob)
    expect(world.stateOf(id)).toBe("live")
  })

  test("an approval that counts no more, as the policy has changed, gives way to the same person's next", () => {
    const world = new World({ policy: { stages: [{ role: "engineer", required: 1 }] } })
    const id = world.set({ a: 1 }, { startAt: new Date(world.nowMs + MINUTE_MS).toISOString() })
    const asked = world.policy
    world.policy = { ...asked, stages: [{ role: "engineer", required: 2 }] }
    world.approve(id, bob, carol)
    world.policy = { ...asked, stages: [{ role: "manager", required: 1 }] }
    world.pass(MINUTE_MS)
    world.tick(id)
    expect(world.refuse(approving(id, bob)).code).toBe("APPROVAL_TWICE")
    world.approve(id, carol)
    expect(world.change(id).approvals.map(({ actor, role }) => [actor.subject, role])).toEqual([
      ["bob", "engineer"],
      ["carol", "manager"],
    ])
    expect(world.stateOf(id)).toBe("live")
  })

  test("comments are kept, and none is taken once a change has ended", () => {
    const world = production()
    const id = world.set({ a: 1 })
    world.do({ type: "comment", changeId: id, actor: bob.actor, text: "why?" })
    expect(world.change(id).comments).toEqual([{ subject: "bob", at: world.now, text: "why?" }])
    world.do({ type: "cancel", changeId: id, actor: alice.actor })
    expect(world.refuse({ type: "comment", changeId: id, actor: bob.actor, text: "oh" }).code).toBe(
      "CHANGE_STATE",
    )
  })

  test("a change that is not there is not found by a person and nothing to the clock", () => {
    const world = production()
    expect(world.refuse(approving(world.newId(), bob)).code).toBe("CHANGE_NOT_FOUND")
    expect(world.tick(world.newId())).toBe("nothing")
  })
})
