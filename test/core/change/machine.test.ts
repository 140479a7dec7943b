import { describe, expect, test } from "vitest"
import type { Change, ChangeState } from "../../../core/change/change.ts"
import { CHANGE_STATES } from "../../../core/change/change.ts"
import { defaultPolicy } from "../../../core/change/policy.ts"
import { type ChangeEvent, type Facts, transition } from "../../../core/change/transition.ts"
import { DEFAULT_ENVIRONMENTS } from "../../../core/environment.ts"
import type { Verdict } from "../../../core/gate/verdict.ts"
import type { ChangeId, ReleaseId } from "../../../core/ids.ts"
import { alice, bob, carol, dan } from "./people.ts"
import { key, World } from "./world.ts"

const NOW = "2026-03-01T12:00:00.000Z"
const LATER = "2026-03-01T13:00:00.000Z"
const P0 = "0".repeat(64) as ReleaseId
const OTHER = "acme-corp:chg_0" as ChangeId
const world = new World({ environment: "Production" })
const policy = defaultPolicy(world.scope, world.environment, DEFAULT_ENVIRONMENTS)
const content = world.change(world.set({ a: 1 })).content
const approvals = [bob, carol, dan].map(({ actor }, i) => ({ actor, role: policy.stages[i]!.role, at: NOW }))

const live: ChangeState = { state: "live", at: NOW, previousStable: P0, previousChangeId: null }
const rolling: ChangeState = {
  state: "rolling_out",
  step: 0,
  enteredAt: NOW,
  startedAt: NOW,
  paused: false,
  heldMs: 0,
}

/** Every state, and the variants of one that answer differently. */
const SITUATIONS = {
  awaiting_approval: { state: "awaiting_approval" },
  scheduled: { state: "scheduled", since: NOW },
  "scheduled, waiting": { state: "scheduled", since: NOW, waitingFor: OTHER },
  rolling_out: rolling,
  "rolling_out, last step": { ...rolling, step: 1 },
  "rolling_out, paused": { ...rolling, paused: true },
  live,
  "live, review owed": { ...live, brokenGlassBy: bob.actor, review: { due: LATER } },
  "live, reviewed": { ...live, brokenGlassBy: bob.actor, review: { due: LATER, at: NOW, by: "carol" } },
  rejected: { state: "rejected", at: NOW, by: "bob" },
  cancelled: { state: "cancelled", at: NOW, by: "bob", reason: "cancelled" },
  expired: { state: "expired", at: NOW },
  rolled_back: { state: "rolled_back", at: NOW, by: "bob", reason: "aborted" },
  "rolled_back, review owed": {
    state: "rolled_back",
    at: NOW,
    by: "bob",
    reason: "rolled_back",
    brokenGlassBy: bob.actor,
    review: { due: LATER },
  },
} as const satisfies Record<string, ChangeState>

const HOLD: Verdict = {
  kind: "hold",
  words: "The candidate is slower.",
  numbers: {
    candidateRequests: 1,
    candidateErrors: 0,
    stableRequests: 1,
    stableErrors: 0,
    likelihoodRatio: 1,
    rollBackAt: 1_000,
  },
}

const EVENTS = {
  approve: { type: "approve", actor: dan.actor, roles: dan.roles },
  reject: { type: "reject", actor: bob.actor },
  cancel: { type: "cancel", by: "bob", reason: "cancelled" },
  "base moved": { type: "cancel", by: "bob", reason: "base_moved", keys: [key("a")], movedBy: OTHER },
  expire: { type: "expire" },
  reassess: { type: "reassess" },
  wait: { type: "wait", behind: OTHER },
  start: { type: "start" },
  "advance by clock": { type: "advance", by: { kind: "clock" } },
  "advance by person": { type: "advance", by: { kind: "person", actor: bob.actor }, step: 0 },
  hold: { type: "hold", verdict: HOLD },
  pause: { type: "pause" },
  resume: { type: "resume" },
  abort: { type: "abort", by: "bob", reason: "aborted" },
  break_glass: { type: "break_glass", actor: bob.actor },
  rollback: { type: "rollback", actor: bob.actor },
  review: { type: "review", actor: carol.actor },
  comment: { type: "comment", subject: "bob", text: "hm" },
} as const satisfies Record<string, ChangeEvent>

type Situation = keyof typeof SITUATIONS
type Event = keyof typeof EVENTS

/**
 * What is not listed is refused: with REVIEW_NOT_DUE for a review, else with CHANGE_STATE. Everything is due: the
 * hold is over, the change has not expired (see its own rows), the third approval is the last.
 */
const TABLE: Partial<Record<Situation, Partial<Record<Event, string>>>> = {
  awaiting_approval: {
    approve: "scheduled",
    reject: "rejected",
    cancel: "cancelled",
    "base moved": "cancelled",
    break_glass: "live+publish",
    comment: "awaiting_approval",
  },
  scheduled: {
    cancel: "cancelled",
    "base moved": "cancelled",
    wait: "scheduled",
    start: "rolling_out+open",
    break_glass: "live+publish",
    comment: "scheduled",
  },
  "scheduled, waiting": {
    cancel: "cancelled",
    "base moved": "cancelled",
    start: "rolling_out+open",
    break_glass: "live+publish",
    comment: "scheduled",
  },
  rolling_out: {
    "advance by clock": "rolling_out+step",
    "advance by person": "rolling_out+step",
    hold: "rolling_out",
    pause: "rolling_out",
    abort: "rolled_back+drop",
    comment: "rolling_out",
  },
  "rolling_out, last step": {
    "advance by clock": "live+settle",
    "advance by person": "CHANGE_STEP",
    hold: "rolling_out",
    pause: "rolling_out",
    abort: "rolled_back+drop",
    comment: "rolling_out",
  },
  "rolling_out, paused": {
    hold: "rolling_out",
    resume: "rolling_out",
    abort: "rolled_back+drop",
    comment: "rolling_out",
  },
  live: { rollback: "rolled_back+return", comment: "live" },
  "live, review owed": { rollback: "rolled_back+return", review: "live", comment: "live" },
  "live, reviewed": { rollback: "rolled_back+return", comment: "live" },
  "rolled_back, review owed": { review: "rolled_back" },
}

const facts: Facts = {
  pointer: { stable: P0, stableChangeId: content.changeId },
  inTheWay: null,
  overdueReview: null,
  verdict: null,
  versions: { [key("a")]: 1 },
}

const outcome = (change: Change, event: ChangeEvent, now = LATER, given: Partial<Facts> = {}): string => {
  const before = structuredClone(change)
  const result = transition(change, event, policy, now, { ...facts, ...given })
  expect(change).toEqual(before)
  return result.ok ? [result.change.status.state, ...result.effects].join("+") : result.code
}
const inState = (status: ChangeState, given = 3): Change => ({
  content,
  status,
  approvals: approvals.slice(0, given),
  comments: [],
})

describe("the change machine", () => {
  test("the table has a row for every state", () => {
    const states = new Set(Object.values(SITUATIONS).map(({ state }) => state))
    expect([...states].sort()).toEqual([...CHANGE_STATES].sort())
  })

  for (const situation of Object.keys(SITUATIONS) as Situation[])
    for (const event of Object.keys(EVENTS) as Event[]) {
      const expected = TABLE[situation]?.[event] ?? (event === "review" ? "REVIEW_NOT_DUE" : "CHANGE_STATE")
      test(`${situation} | ${event} → ${expected}`, () => {
        const change = inState(SITUATIONS[situation], situation === "awaiting_approval" ? 2 : 3)
        expect(outcome(change, EVENTS[event])).toBe(expected)
      })
    }

  test.each([
    ["awaiting_approval", "approve", "CHANGE_STATE"],
    ["awaiting_approval", "expire", "expired"],
    ["awaiting_approval", "break_glass", "CHANGE_STATE"],
    ["scheduled", "expire", "expired"],
    ["scheduled, waiting", "expire", "expired"],
    ["scheduled", "start", "CHANGE_STATE"],
    ["scheduled", "break_glass", "CHANGE_STATE"],
    ["rolling_out", "expire", "CHANGE_STATE"],
    ["rolling_out", "advance by clock", "rolling_out+step"],
    ["live", "expire", "CHANGE_STATE"],
    ["live", "rollback", "ROLLBACK_WINDOW"],
  ] as const)("once its time is over: %s | %s → %s", (situation, event, expected) => {
    const change = inState(SITUATIONS[situation], situation === "awaiting_approval" ? 2 : 3)
    expect(outcome(change, EVENTS[event], content.expiresAt)).toBe(expected)
  })

  test("a scheduled change that owes approvals does not start, and goes back to be approved", () => {
    const change = inState(SITUATIONS.scheduled, 2)
    expect(outcome(change, EVENTS.start)).toBe("CHANGE_STATE")
    expect(outcome(change, EVENTS.reassess)).toBe("awaiting_approval")
  })

  test("nothing starts while something is in its way", () => {
    expect(outcome(inState(SITUATIONS.scheduled), EVENTS.start, LATER, { inTheWay: OTHER })).toBe(
      "CHANGE_STATE",
    )
    expect(outcome(inState(SITUATIONS.scheduled), EVENTS.break_glass, LATER, { inTheWay: OTHER })).toBe(
      "CHANGE_STATE",
    )
  })

  test("nothing starts before its startAt", () => {
    const early = inState(SITUATIONS.scheduled)
    const change = { ...early, content: { ...content, startAt: LATER } }
    expect(outcome(change, EVENTS.start, NOW)).toBe("CHANGE_STATE")
    expect(outcome(change, EVENTS.start, LATER)).toBe("rolling_out+open")
  })

  test("a direct change is live as soon as it starts", () => {
    const scheduled = inState(SITUATIONS.scheduled)
    const change = { ...scheduled, content: { ...content, plan: [] } }
    expect(outcome(change, EVENTS.start)).toBe("live+publish")
  })

  test("the clock ends no hold early; a person may", () => {
    expect(outcome(inState(rolling), EVENTS["advance by clock"], "2026-03-01T12:01:59.999Z")).toBe(
      "CHANGE_STATE",
    )
    expect(outcome(inState(rolling), EVENTS["advance by clock"], "2026-03-01T12:02:00.000Z")).toBe(
      "rolling_out+step",
    )
    expect(outcome(inState(rolling), EVENTS["advance by person"], NOW)).toBe("rolling_out+step")
  })

  test("no hold at all is ended by a person only", () => {
    const scheduled = inState(rolling)
    const change = { ...scheduled, content: { ...content, plan: [{ weightBp: 0, holdMs: null }] } }
    expect(outcome(change, EVENTS["advance by clock"], "2027-01-01T00:00:00.000Z")).toBe("CHANGE_STATE")
    expect(outcome(change, EVENTS["advance by person"], NOW)).toBe("live+settle")
  })

  test("a change with others on top of it is not rolled back", () => {
    const buried = { pointer: { stable: P0, stableChangeId: OTHER } }
    expect(outcome(inState(live), EVENTS.rollback, LATER, buried)).toBe("ROLLBACK_BURIED")
  })

  test("an overdue review keeps the glass whole", () => {
    expect(
      outcome(inState(SITUATIONS.awaiting_approval), EVENTS.break_glass, LATER, { overdueReview: OTHER }),
    ).toBe("REVIEW_OVERDUE")
  })

  test("who broke the glass does not review it, nor does the author", () => {
    const owed = inState(SITUATIONS["live, review owed"])
    expect(outcome(owed, { type: "review", actor: bob.actor })).toBe("APPROVAL_OWN")
    expect(outcome(owed, { type: "review", actor: alice.actor })).toBe("APPROVAL_OWN")
    expect(outcome(owed, { type: "review", actor: { ...dan.actor, ancestors: ["bob"] } })).toBe(
      "APPROVAL_RELATED",
    )
  })
})
