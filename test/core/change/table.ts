import type { EVENTS } from "./happenings.ts"
import type { SITUATIONS } from "./situations.ts"

export type SituationName = keyof typeof SITUATIONS
export type EventName = keyof typeof EVENTS

const waiting = { cancel: "cancelled", "base moved": "cancelled" }
const inRollout = {
  hold: "rolling_out",
  "signal, hold": "rolling_out",
  "signal, unhealthy": "rolled_back+drop",
  abort: "rolled_back+drop",
  comment: "rolling_out",
}

/**
 * What comes of everything that happens, in every situation: the state and the effects, or the code it is refused
 * with. What is not listed is refused with REVIEW_NOT_DUE for a review, else with CHANGE_STATE.
 */
const TABLE: Record<SituationName, Partial<Record<EventName, string>>> = {
  "awaiting_approval, two owed": {
    ...waiting,
    approve: "awaiting_approval",
    withdraw: "awaiting_approval",
    "remind, person": "awaiting_approval",
    reject: "rejected",
    break_glass: "live+publish",
    comment: "awaiting_approval",
  },
  awaiting_approval: {
    ...waiting,
    approve: "scheduled",
    withdraw: "awaiting_approval",
    "remind, person": "awaiting_approval",
    reject: "rejected",
    break_glass: "live+publish",
    comment: "awaiting_approval",
  },
  "awaiting_approval, none owed": {
    ...waiting,
    approve: "APPROVAL_TWICE",
    withdraw: "awaiting_approval",
    "remind, person": "awaiting_approval",
    reject: "rejected",
    reassess: "scheduled",
    break_glass: "live+publish",
    comment: "awaiting_approval",
  },
  "awaiting_approval, over": {
    ...waiting,
    reject: "rejected",
    expire: "expired",
    comment: "awaiting_approval",
  },
  scheduled: {
    ...waiting,
    withdraw: "awaiting_approval",
    wait: "scheduled",
    start: "rolling_out+open",
    break_glass: "live+publish",
    comment: "scheduled",
  },
  "scheduled, direct": {
    ...waiting,
    withdraw: "awaiting_approval",
    wait: "scheduled",
    start: "live+publish",
    break_glass: "live+publish",
    comment: "scheduled",
  },
  "scheduled, more asked": {
    ...waiting,
    withdraw: "awaiting_approval",
    reassess: "awaiting_approval",
    wait: "scheduled",
    break_glass: "live+publish",
    comment: "scheduled",
  },
  "scheduled, early": {
    ...waiting,
    withdraw: "awaiting_approval",
    wait: "scheduled",
    break_glass: "live+publish",
    comment: "scheduled",
  },
  "scheduled, waiting": { ...waiting, withdraw: "awaiting_approval", comment: "scheduled" },
  "scheduled, frozen": {
    ...waiting,
    withdraw: "awaiting_approval",
    wait: "scheduled",
    freeze: "scheduled",
    start: "CHANGE_FROZEN",
    break_glass: "live+publish",
    comment: "scheduled",
  },
  "scheduled, over": { ...waiting, expire: "expired", wait: "scheduled", comment: "scheduled" },
  rolling_out: {
    ...inRollout,
    "advance, clock": "rolling_out+step",
    "advance, person": "rolling_out+step",
    pause: "rolling_out",
  },
  "rolling_out, holding": { ...inRollout, "advance, person": "rolling_out+step", pause: "rolling_out" },
  "rolling_out, held back": { ...inRollout, "advance, person": "rolling_out+step", pause: "rolling_out" },
  "rolling_out, last step": {
    ...inRollout,
    "advance, clock": "live+settle",
    "advance, person": "CHANGE_STEP",
    trip: "CHANGE_STEP",
    "trip, two": "CHANGE_STEP",
    pause: "rolling_out",
  },
  "rolling_out, frozen": {
    ...inRollout,
    freeze: "rolling_out",
    "advance, clock": "CHANGE_FROZEN",
    "advance, person": "CHANGE_FROZEN",
    pause: "rolling_out",
  },
  "rolling_out, paused": { ...inRollout, resume: "rolling_out" },
  "rolling_out, waves": {
    ...inRollout,
    "advance, clock": "rolling_out+step",
    "advance, person": "rolling_out+step",
    trip: "rolling_out+exclude",
    "trip, two": "rolling_out+exclude",
    pause: "rolling_out",
  },
  "rolling_out, waves, one tripped": {
    ...inRollout,
    trip: "rolling_out+exclude",
    "trip, two": "rolled_back+drop",
    resume: "rolling_out",
  },
  live: { rollback: "rolled_back+return", returned: "rolled_back", comment: "live" },
  "live, buried": { rollback: "ROLLBACK_BURIED", returned: "rolled_back", comment: "live" },
  "live, long ago": { rollback: "ROLLBACK_WINDOW", returned: "rolled_back", comment: "live" },
  "live, policy": { rollback: "ROLLBACK_POLICY", returned: "rolled_back", comment: "live" },
  "live, review owed": {
    rollback: "rolled_back+return",
    returned: "rolled_back",
    review: "live",
    comment: "live",
  },
  "live, reviewed": { rollback: "rolled_back+return", returned: "rolled_back", comment: "live" },
  rejected: {},
  cancelled: {},
  expired: {},
  rolled_back: {},
  "rolled_back, review owed": { review: "rolled_back" },
}

export const expectedOf = (situation: SituationName, event: EventName): string =>
  TABLE[situation][event] ?? (event === "review" ? "REVIEW_NOT_DUE" : "CHANGE_STATE")
