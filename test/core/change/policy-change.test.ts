import { describe, expect, test } from "vitest"
import { POLICY_KEY } from "../../../core/change/policy.ts"
import { type ChangeId, PLATFORM, tierScope } from "../../../core/ids.ts"
import { bob, carol, engineer, manager } from "./people.ts"
import { actor, canary, person } from "./rollouts.ts"
import { editing, key, MINUTE_MS, World } from "./world.ts"

const MANAGER = [{ role: "manager", required: 1 }] as const
const soon = (world: World) => ({ startAt: new Date(world.nowMs + MINUTE_MS).toISOString() })

describe("a policy", () => {
  test("is a change like any other: approved as the policy in force asks, versioned, and then in force", () => {
    const world = new World({ environment: "Staging" })
    const first = world.setPolicy({ stages: MANAGER })
    expect(world.stateOf(first)).toBe("live")
    expect(world.entries().get(POLICY_KEY)).toMatchObject({ version: 1 })
    const second = world.setPolicy({ stages: [] })
    expect(world.stateOf(second)).toBe("awaiting_approval")
    expect(world.stateOf(world.set({ a: 1 }))).toBe("awaiting_approval")
    world.approve(second, manager)
    expect(world.policies).toEqual([
      { scope: "acme-corp", version: 2, locked: false, document: { stages: [] } },
    ])
    expect(world.stateOf(world.set({ b: 1 }))).toBe("live")
    world.setPolicy(null)
    expect(world.policies).toEqual([])
  })

  test("is alone in its change, direct, and refused where it is not valid", () => {
    const world = new World()
    world.policy = { ...world.policy, strategy: canary.strategy, allowedStrategies: ["canary"] }
    const edit = { key: POLICY_KEY, value: { stages: [] } }
    const refuse = (edits: object[], rest = {}) =>
      world.refuse(world.submitCommand(edits as never, rest)).code
    expect(refuse([edit, ...editing({ a: 1 })])).toBe("POLICY_INVALID")
    expect(refuse([{ ...edit, value: { stages: "none" } }])).toBe("POLICY_INVALID")
    expect(refuse([edit], canary)).toBe("STRATEGY_UNSUITABLE")
    expect(world.changes.size).toBe(0)
    expect(world.stateOf(world.submit([edit]))).toBe("live")
  })

  test("that asks for more has what is scheduled approved again, in the same transaction", () => {
    const world = new World()
    const scheduled = world.set({ a: 1 }, soon(world))
    const { rev } = world
    world.setPolicy({ stages: MANAGER })
    expect([world.rev, world.stateOf(scheduled)]).toEqual([rev + 1, "awaiting_approval"])
  })

  test("that is loosened in flight loosens nothing for what was submitted before", () => {
    const world = new World()
    world.setPolicy({ stages: MANAGER })
    const waiting = world.set({ a: 1 })
    world.approve(world.setPolicy({ stages: [] }), manager)
    world.tick(waiting)
    expect(world.stateOf(waiting)).toBe("awaiting_approval")
    world.approve(waiting, bob)
    expect(world.stateOf(waiting)).toBe("live")
  })

  test("that asks for more and then no longer leaves nothing waiting that owes nothing", () => {
    const world = new World()
    const scheduled = world.set({ a: 1 }, soon(world))
    const again = world.set({ b: 1 }, soon(world))
    world.setPolicy({ stages: MANAGER })
    world.approve(world.setPolicy({ stages: [] }), manager)
    expect(world.stateOf(scheduled)).toBe("scheduled")
    const layer = { scope: tierScope("Pro"), version: 1, locked: false, document: { stages: MANAGER } }
    world.policies = [layer, ...world.policies.map((own) => ({ ...own, document: {} }))]
    world.pass(MINUTE_MS)
    world.tick(again)
    expect(world.stateOf(again)).toBe("awaiting_approval")
    world.policies = world.policies.slice(1)
    world.pass(MINUTE_MS)
    for (const id of [scheduled, again]) world.tick(id)
    expect([world.stateOf(scheduled), world.stateOf(again)]).toEqual(["live", "live"])
  })

  test("that is inherited counts at the start, and a start that raced with it is decided anew", () => {
    const world = new World()
    const scheduled = world.set({ a: 1 }, soon(world))
    const layer = { scope: tierScope("Pro"), version: 3, locked: false, document: { stages: MANAGER } }
    world.policies = [layer]
    world.pass(MINUTE_MS)
    const decision = world.decide({ type: "tick", changeId: scheduled })
    expect(decision).toMatchObject({
      kind: "commit",
      change: { status: { state: "awaiting_approval" } },
      commit: { inherited: { [tierScope("Pro")]: 3 } },
    })
  })

  test("that forbids a strategy refuses it at submission, and cancels what was scheduled with it", () => {
    const world = new World()
    const scheduled = world.set({ a: 1 }, { ...canary, ...soon(world) })
    world.setPolicy({ allowedStrategies: ["direct"] })
    expect(world.refuse(world.submitCommand(editing({ b: 1 }), canary)).code).toBe("STRATEGY_FORBIDDEN")
    world.pass(MINUTE_MS)
    world.tick(scheduled)
    expect(world.change(scheduled).status).toMatchObject({
      reason: "invalid",
      detail: expect.stringContaining("STRATEGY_FORBIDDEN"),
    })
  })

  test("is not rolled back without approval, and stays when what came before it is rolled back", () => {
    const world = new World()
    const first = world.set({ a: 1 })
    world.set({ a: 2 })
    const strict = world.setPolicy({ stages: MANAGER })
    expect(world.refuse({ type: "rollback", changeId: strict, actor })).toMatchObject({
      code: "ROLLBACK_POLICY",
      extra: { draft: { policy: { comment: expect.any(String) } } },
    })
    world.do({ type: "rollback_to", actor })
    expect([world.value("a"), world.pointer.stableChangeId, world.stateOf(strict)]).toEqual([
      1,
      first,
      "live",
    ])
    world.do({ type: "rollback", changeId: first, actor })
    expect([...world.entries().keys()]).toEqual([POLICY_KEY])
    expect(world.stateOf(world.set({ b: 1 }))).toBe("awaiting_approval")
  })

  test("may ask more of the gate: that is part of what is approved, and what is usual is not", () => {
    const hashOf = (gate: object) => {
      const world = new World()
      world.setPolicy({ gate })
      const { content } = world.change(world.set({ a: 1 }, canary))
      return [content.gate, content.contentHash]
    }
    const plain = new World()
    const { contentHash } = plain.change(plain.set({ a: 1 }, canary)).content
    expect(hashOf({})).toEqual([undefined, contentHash])
    expect(hashOf({ requestsMin: 30 })).toEqual([undefined, contentHash])
    const [gate, hash] = hashOf({ requestsMin: 500 })
    expect(gate).toEqual({ requestsMin: 500 })
    expect(hash).not.toBe(contentHash)
  })

  test("of the platform is inherited by none of its own changes twice", () => {
    const world = new World({ scope: PLATFORM })
    world.setPolicy({ stages: [{ role: "engineer", required: 1 }] })
    const id = world.set({ a: 1 })
    world.approve(id, engineer)
    expect(world.stateOf(id)).toBe("live")
    expect(world.decide(world.submitCommand(editing({ b: 1 })))).toMatchObject({ commit: { inherited: {} } })
  })
})

describe("in a freeze", () => {
  const UNTIL = "2026-03-01T14:00:00.000Z"
  const window = { name: "lunch", timeZone: "UTC", from: "2026-03-01T12:01", until: "2026-03-01T14:00" }
  const frozen = () => {
    const world = new World()
    world.setPolicy({ freezes: [window] })
    return world
  }

  test("nothing starts: what is submitted is scheduled, says why, and starts when the freeze is over", () => {
    const world = frozen()
    world.pass(MINUTE_MS)
    for (const rest of [{}, canary]) {
      const id = world.set({ [JSON.stringify(rest).length]: 1 }, rest)
      expect(world.change(id).status).toMatchObject({ frozen: { name: "lunch", until: UNTIL } })
    }
    world.nowMs = Date.parse(UNTIL)
    for (const id of [...world.changes.keys()].slice(1)) world.tick(id)
    expect(world.pointer.candidate).not.toBeNull()
    expect([...world.changes.keys()].slice(1).map((id) => world.stateOf(id))).toEqual(["live", "rolling_out"])
  })

  test("no rollout grows, by clock or by person, and it goes on afterwards; aborting and glass pass", () => {
    const world = frozen()
    const id = world.set({ a: 1 }, canary)
    world.pass(MINUTE_MS)
    expect(world.tick(id)).toBe("commit")
    expect(world.change(id).status).toMatchObject({ step: 0, frozen: { until: UNTIL } })
    expect(world.refuse({ type: "advance", changeId: id, step: 0, by: person })).toMatchObject({
      code: "CHANGE_FROZEN",
      detail: expect.stringContaining(UNTIL),
    })
    expect(world.decide({ type: "abort", changeId: id, by: person }).kind).toBe("commit")
    const glass = world.set({ b: 1 })
    world.do({ type: "break_glass", changeId: glass, actor, roles: ["manager"] })
    expect(world.stateOf(glass)).toBe("live")
    world.nowMs = Date.parse(UNTIL)
    world.tick(id)
    expect(world.change(id).status).toMatchObject({ step: 1 })
    expect(world.change(id).status).not.toHaveProperty("frozen")
  })

  test("it is looked at again every ten minutes, as nobody tells when one that is inherited is lifted", () => {
    const inherited = { scope: tierScope("Pro"), version: 1, locked: false, document: { freezes: [window] } }
    const world = new World()
    const rollout = world.set({ a: 1 }, canary)
    world.policies = [inherited]
    world.pass(MINUTE_MS)
    world.tick(rollout)
    const waiting = world.set({ b: 1 })
    const entries = world.audit.length
    const lookedAt = (id: ChangeId) => Date.parse(world.dueAt(id)!) - world.nowMs
    for (let looks = 0; looks < 3; looks++) {
      for (const id of [rollout, waiting]) expect(lookedAt(id)).toBe(10 * MINUTE_MS)
      world.pass(10 * MINUTE_MS)
      for (const id of [rollout, waiting]) world.tick(id)
    }
    expect(world.audit.length).toBe(entries)
    world.policies = []
    for (const id of [rollout, waiting]) world.tick(id)
    expect(world.change(rollout).status).toMatchObject({ step: 1 })
    expect(world.stateOf(waiting)).toBe("live")
    world.policies = [inherited]
    world.nowMs = Date.parse(UNTIL) - MINUTE_MS
    expect(world.dueAt(world.set({ c: 1 }))).toBe(UNTIL)
  })

  test("a policy passes, and one that ends the freeze lets go at once what it held", () => {
    const world = frozen()
    const rollout = world.set({ a: 1 }, canary)
    world.pass(MINUTE_MS)
    world.tick(rollout)
    const waiting = world.set({ b: 1 })
    expect(world.stateOf(world.setPolicy({ freezes: [] }))).toBe("live")
    expect([world.dueAt(rollout), world.dueAt(waiting)]).toEqual([world.now, world.now])
    world.tick(rollout)
    expect(world.stateOf(waiting)).toBe("live")
    expect(world.change(rollout).status).toMatchObject({ step: 1 })
  })
})

describe("an approval", () => {
  const strict = () => new World({ policy: { stages: [{ role: "engineer", required: 2 }] } })

  test("is taken back by who gave it, until the change starts", () => {
    const world = strict()
    const id = world.set({ a: 1 }, soon(world))
    world.approve(id, bob, carol)
    expect(world.stateOf(id)).toBe("scheduled")
    const withdraw = { type: "withdraw", changeId: id, actor: bob.actor } as const
    expect(world.refuse({ ...withdraw, actor: manager.actor }).code).toBe("APPROVAL_NONE")
    world.do(withdraw)
    expect([world.stateOf(id), world.change(id).approvals.length]).toEqual(["awaiting_approval", 1])
    world.pass(MINUTE_MS)
    world.tick(id)
    expect(world.stateOf(id)).toBe("awaiting_approval")
    world.approve(id, bob)
    expect(world.stateOf(id)).toBe("live")
    expect(world.refuse(withdraw).code).toBe("CHANGE_STATE")
  })

  test("is asked for again, as often as the policy says and no oftener, and whenever somebody wants it", () => {
    const world = strict()
    const id = world.set({ a: 1 })
    const reminders = () => world.notices.filter(({ type }) => type === "change.approval_reminder").length
    const day = 24 * 60 * MINUTE_MS
    expect(Date.parse(world.dueAt(id)!) - world.nowMs).toBe(day)
    world.pass(day)
    expect([world.tick(id), reminders(), Date.parse(world.dueAt(id)!) - world.nowMs]).toEqual([
      "commit",
      1,
      day,
    ])
    expect(world.tick(id)).toBe("nothing")
    world.pass(MINUTE_MS - 1)
    expect(world.refuse({ type: "remind", changeId: id, actor }).code).toBe("CHANGE_STATE")
    world.pass(1)
    world.do({ type: "remind", changeId: id, actor })
    expect(reminders()).toBe(2)
  })

  test("that somebody else owes now is asked for by a notice that names the role, and no value", () => {
    const world = new World({ environment: "Production" })
    const id = world.set({ a: "secret" }, { comment: "for the sale" })
    world.approve(id, bob)
    const asked = world.notices.filter(({ type }) => type === "change.approval_requested")
    expect(asked.map(({ detail }) => [detail.who, detail.roles])).toEqual([
      ["alice", ["engineer"]],
      ["bob", ["manager"]],
    ])
    expect(asked[0]!.detail).toMatchObject({ author: "alice", keys: [key("a")], comment: "for the sale" })
    expect(JSON.stringify(world.notices)).not.toContain("secret")
  })
})

test("a change takes 200 comments, and no more", () => {
  const world = new World()
  const changeId = world.set({ a: 1 })
  const comment = { type: "comment", changeId, actor, text: "hm" } as const
  for (let i = 0; i < 200; i++) world.do(comment)
  expect(world.refuse(comment).code).toBe("COMMENTS_TOO_MANY")
})
