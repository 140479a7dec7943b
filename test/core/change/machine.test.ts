import { describe, expect, test } from "vitest"
import type { Change } from "../../../core/change/change.ts"
import { CHANGE_STATES } from "../../../core/change/change.ts"
import { type ChangeEvent, type Facts, transition } from "../../../core/change/transition.ts"
import { EVENTS } from "./happenings.ts"
import { alice, bob, dan } from "./people.ts"
import {
  changeIn,
  content,
  FACTS,
  LATER,
  NOW,
  OTHER,
  policy,
  rolling,
  SITUATIONS,
  type Situation,
} from "./situations.ts"
import { type EventName, expectedOf, type SituationName } from "./table.ts"

const outcome = (change: Change, event: ChangeEvent, now = LATER, given: Partial<Facts> = {}): string => {
  const before = structuredClone(change)
  const result = transition(change, event, policy, now, { ...FACTS, ...given })
  expect(change).toEqual(before)
  return result.ok ? [result.change.status.state, ...result.effects].join("+") : result.code
}

describe("the change machine", () => {
  test("the table has a row for every state and a column for every event", () => {
    const states = new Set(Object.values(SITUATIONS).map(({ status }) => status.state))
    expect([...states].sort()).toEqual([...CHANGE_STATES].sort())
    const events: Record<ChangeEvent["type"], true> = {
      approve: true,
      withdraw: true,
      remind: true,
      reject: true,
      cancel: true,
      expire: true,
      reassess: true,
      wait: true,
      freeze: true,
      start: true,
      advance: true,
      hold: true,
      signal: true,
      trip: true,
      pause: true,
      resume: true,
      abort: true,
      break_glass: true,
      rollback: true,
      returned: true,
      review: true,
      comment: true,
    }
    const listed = new Set(Object.values(EVENTS).map(({ event }) => event.type))
    expect([...listed].sort()).toEqual(Object.keys(events).sort())
  })

  for (const name of Object.keys(SITUATIONS) as SituationName[])
    for (const event of Object.keys(EVENTS) as EventName[]) {
      const situation: Situation = SITUATIONS[name]
      const expected = expectedOf(name, event)
      test(`${name} | ${event} → ${expected}`, () => {
        expect(outcome(changeIn(situation), EVENTS[event].event, situation.now, situation.facts)).toBe(
          expected,
        )
      })
    }

  test("the clock ends no hold early, not by a millisecond", () => {
    const change = changeIn({ status: rolling })
    const { event } = EVENTS["advance, clock"]
    expect(outcome(change, event, "2026-03-01T12:01:59.999Z")).toBe("CHANGE_STATE")
    expect(outcome(change, event, "2026-03-01T12:02:00.000Z")).toBe("rolling_out+step")
  })

  test("the clock reminds when it is time, and where the policy has it remind", () => {
    const change = changeIn(SITUATIONS.awaiting_approval)
    const at = (ms: number) => new Date(Date.parse(content.createdAt) + ms).toISOString()
    const { event } = EVENTS["remind, clock"]
    expect(outcome(change, event, at(policy.remindEveryMs! - 1))).toBe("CHANGE_STATE")
    expect(outcome(change, event, at(policy.remindEveryMs!))).toBe("awaiting_approval")
    const silent = { ...policy, remindEveryMs: null }
    expect(transition(change, event, silent, at(6 * policy.remindEveryMs!), FACTS).ok).toBe(false)
  })

  test("a bake that is taken back is an instant switch: everyone was on the candidate, nobody is", () => {
    const plan = [
      { weightBp: 0, holdMs: null },
      { weightBp: 10_000, holdMs: 120_000 },
    ]
    const baking = changeIn({ status: { ...rolling, step: 1 }, content: { plan } })
    expect(outcome(baking, EVENTS.abort.event, NOW)).toBe("rolled_back+drop")
    expect(outcome(baking, EVENTS["advance, clock"].event, LATER)).toBe("live+settle")
  })

  test("no hold at all is ended by a person only", () => {
    const change = changeIn({ status: rolling, content: { plan: [{ weightBp: 0, holdMs: null }] } })
    expect(outcome(change, EVENTS["advance, clock"].event, "2027-01-01T00:00:00.000Z")).toBe("CHANGE_STATE")
    expect(outcome(change, EVENTS["advance, person"].event, NOW)).toBe("live+settle")
  })

  test("an overdue review keeps the glass whole", () => {
    expect(
      outcome(changeIn(SITUATIONS.awaiting_approval), EVENTS.break_glass.event, LATER, {
        overdueReview: OTHER,
      }),
    ).toBe("REVIEW_OVERDUE")
  })

  test("who broke the glass does not review it, nor does the author", () => {
    const owed = changeIn(SITUATIONS["live, review owed"])
    expect(outcome(owed, { type: "review", actor: bob.actor })).toBe("APPROVAL_OWN")
    expect(outcome(owed, { type: "review", actor: alice.actor })).toBe("APPROVAL_OWN")
    expect(outcome(owed, { type: "review", actor: { ...dan.actor, ancestors: ["bob"] } })).toBe(
      "APPROVAL_RELATED",
    )
  })
})
