import type { ChangeEvent } from "../../../core/change/transition.ts"
import type { TenantId } from "../../../core/ids.ts"
import { bob, carol, dan } from "./people.ts"
import { FROZEN, OTHER, verdictOf } from "./situations.ts"
import { key } from "./world.ts"

interface Happening {
  event: ChangeEvent
  /** The words of the guide. */
  words: string
}

/** Everything that can happen to a change. */
export const EVENTS = {
  approve: {
    event: { type: "approve", actor: dan.actor, roles: dan.roles },
    words: "an approval that is due",
  },
  withdraw: {
    event: { type: "withdraw", actor: bob.actor },
    words: "an approval taken back by who gave it",
  },
  "remind, person": {
    event: { type: "remind", by: { kind: "person", actor: bob.actor } },
    words: "a person has those reminded whose approval is due",
  },
  "remind, clock": {
    event: { type: "remind", by: { kind: "clock" } },
    words: "the clock does, before it is time",
  },
  reject: { event: { type: "reject", actor: bob.actor }, words: "rejected" },
  cancel: { event: { type: "cancel", by: "bob", reason: "cancelled" }, words: "cancelled" },
  "base moved": {
    event: { type: "cancel", by: "bob", reason: "base_moved", keys: [key("a")], movedBy: OTHER },
    words:
      "another change alters one of its keys in stable, or its edits hold no longer (limits, schema, strategy)",
  },
  expire: { event: { type: "expire" }, words: "the clock finds its time over" },
  reassess: { event: { type: "reassess" }, words: "its policy asks for more, or no longer does" },
  wait: { event: { type: "wait", behind: OTHER }, words: "due, but a rollout is in its way" },
  freeze: { event: { type: "freeze", frozen: FROZEN }, words: "due, but there is a freeze" },
  start: { event: { type: "start" }, words: "due" },
  "advance, clock": {
    event: { type: "advance", by: { kind: "clock" } },
    words: "the clock, when the hold is over and the gate agrees",
  },
  "advance, person": {
    event: { type: "advance", by: { kind: "person", actor: bob.actor }, step: 0 },
    words: "advanced by a person who saw the first step",
  },
  hold: {
    event: { type: "hold", verdict: verdictOf("hold") },
    words: "the hold is over, and the gate does not agree",
  },
  "signal, hold": {
    event: { type: "signal", by: "ci", verdict: "hold", source: "alarms", summary: "Slow." },
    words: "an alarm that asks to hold",
  },
  "signal, unhealthy": {
    event: { type: "signal", by: "ci", verdict: "unhealthy", source: "alarms", summary: "Down." },
    words: "an alarm that says it is unhealthy",
  },
  trip: {
    event: {
      type: "trip",
      by: "clock",
      tenantId: "shop" as TenantId,
      step: 0,
      words: "It fails.",
      reached: 3,
    },
    words: "its candidate fails a tenant, while three are reached",
  },
  "trip, two": {
    event: {
      type: "trip",
      by: "clock",
      tenantId: "shop" as TenantId,
      step: 0,
      words: "It fails.",
      reached: 2,
    },
    words: "its candidate fails a tenant, while two are reached",
  },
  pause: { event: { type: "pause" }, words: "paused" },
  resume: { event: { type: "resume" }, words: "resumed" },
  abort: {
    event: { type: "abort", by: "bob", reason: "aborted" },
    words: "aborted, found unhealthy, superseded, glass broken over it",
  },
  break_glass: {
    event: { type: "break_glass", actor: bob.actor, roles: ["manager"] },
    words: "glass broken",
  },
  rollback: { event: { type: "rollback", actor: bob.actor }, words: "rolled back" },
  returned: {
    event: { type: "returned", by: "bob" },
    words: "stable taken back to a release from before it",
  },
  review: { event: { type: "review", actor: carol.actor }, words: "reviewed" },
  comment: { event: { type: "comment", subject: "bob", text: "hm" }, words: "commented on" },
} as const satisfies Record<string, Happening>
