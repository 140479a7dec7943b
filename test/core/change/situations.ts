import type { Change, ChangeState, Plan } from "../../../core/change/change.ts"
import { DEFAULT_CHAIN, defaultPolicy, POLICY_KEY } from "../../../core/change/policy.ts"
import type { Facts } from "../../../core/change/transition.ts"
import { DEFAULT_ENVIRONMENTS } from "../../../core/environment.ts"
import type { Verdict } from "../../../core/gate/verdict.ts"
import type { ChangeId, ReleaseId, TenantId } from "../../../core/ids.ts"
import { bob, carol, dan } from "./people.ts"
import { key, World } from "./world.ts"

export const NOW = "2026-03-01T12:00:00.000Z"
export const LATER = "2026-03-01T13:00:00.000Z"
export const OTHER = "acme-corp:chg_0" as ChangeId
const P0 = "0".repeat(64) as ReleaseId
const world = new World({ environment: "Production" })
export const policy = defaultPolicy(world.scope, world.environment, DEFAULT_ENVIRONMENTS)
export const content = world.change(world.set({ a: 1 })).content
const approvals = [bob, carol, dan].map(({ actor }, i) => ({
  actor,
  role: DEFAULT_CHAIN[i]!.role,
  at: NOW,
}))

const WAVES: Plan = [
  { weightBp: 100, holdMs: 60_000, tiers: [], tenants: ["shop" as TenantId] },
  { weightBp: 10_000, holdMs: 60_000, tiers: [], tenants: ["shop" as TenantId] },
]
export const FROZEN = { name: "Easter", until: "2026-04-07T00:00:00.000Z" }

const live: ChangeState = { state: "live", at: NOW, previousStable: P0, previousChangeId: null }
export const rolling: Extract<ChangeState, { state: "rolling_out" }> = {
  state: "rolling_out",
  step: 0,
  enteredAt: NOW,
  startedAt: NOW,
  paused: false,
  heldMs: 0,
}
const owed = { brokenGlassBy: bob.actor, review: { due: LATER } }

export interface Situation {
  status: ChangeState
  /** What the situation is besides the state, in the words of the guide. */
  words?: string
  /** How many of the three approvals that are owed have been given; all, unless told. */
  given?: number
  now?: string
  content?: Partial<Change["content"]>
  facts?: Partial<Facts>
}

/** Every state, and the variants of one that answer differently. Unless told, everything that can be due is. */
export const SITUATIONS = {
  "awaiting_approval, two owed": {
    status: { state: "awaiting_approval" },
    given: 1,
    words: "more than one owed",
  },
  awaiting_approval: { status: { state: "awaiting_approval" }, given: 2, words: "the last one owed" },
  "awaiting_approval, none owed": { status: { state: "awaiting_approval" }, words: "none owed any more" },
  "awaiting_approval, over": {
    status: { state: "awaiting_approval" },
    given: 2,
    now: content.expiresAt,
    words: "its time over",
  },
  scheduled: { status: { state: "scheduled", since: NOW }, words: "nothing in its way" },
  "scheduled, direct": {
    status: { state: "scheduled", since: NOW },
    content: { plan: [] },
    words: "without steps",
  },
  "scheduled, more asked": {
    status: { state: "scheduled", since: NOW },
    given: 2,
    words: "an approval owed again",
  },
  "scheduled, early": {
    status: { state: "scheduled", since: NOW },
    content: { startAt: "2026-03-02T12:00:00.000Z" },
    words: "before its `startAt`",
  },
  "scheduled, waiting": {
    status: { state: "scheduled", since: NOW, waitingFor: OTHER },
    facts: { inTheWay: OTHER },
    words: "a rollout in its way",
  },
  "scheduled, frozen": {
    status: { state: "scheduled", since: NOW },
    facts: { frozen: FROZEN },
    words: "in a freeze",
  },
  "scheduled, over": {
    status: { state: "scheduled", since: NOW },
    now: content.expiresAt,
    words: "its time over",
  },
  rolling_out: { status: rolling, words: "its hold over" },
  "rolling_out, holding": { status: rolling, now: NOW, words: "its hold not over" },
  "rolling_out, held back": {
    status: rolling,
    facts: { verdict: verdictOf("hold") },
    words: "the gate against it",
  },
  "rolling_out, last step": { status: { ...rolling, step: 1 }, words: "the last step" },
  "rolling_out, frozen": { status: rolling, facts: { frozen: FROZEN }, words: "in a freeze" },
  "rolling_out, paused": { status: { ...rolling, paused: true }, words: "paused" },
  "rolling_out, waves": { status: rolling, content: { plan: WAVES }, words: "by waves" },
  "rolling_out, waves, one tripped": {
    status: {
      ...rolling,
      paused: true,
      tripped: [{ tenantId: "other" as TenantId, at: NOW, words: "It fails." }],
    },
    content: { plan: WAVES },
    words: "by waves, one tenant taken out, paused",
  },
  live: { status: live, words: "the newest" },
  "live, buried": {
    status: live,
    facts: { pointer: { stable: P0, stableChangeId: OTHER } },
    words: "others on top of it",
  },
  "live, long ago": { status: live, now: "2026-03-02T12:00:00.001Z", words: "the window over" },
  "live, policy": {
    status: live,
    content: { edits: [{ key: POLICY_KEY, value: {} }] },
    words: "a policy",
  },
  "live, review owed": { status: { ...live, ...owed }, words: "a review owed" },
  "live, reviewed": {
    status: { ...live, ...owed, review: { due: LATER, at: NOW, by: "carol" } },
    words: "reviewed",
  },
  rejected: { status: { state: "rejected", at: NOW, by: "bob" } },
  cancelled: { status: { state: "cancelled", at: NOW, by: "bob", reason: "cancelled" } },
  expired: { status: { state: "expired", at: NOW } },
  rolled_back: { status: { state: "rolled_back", at: NOW, by: "bob", reason: "aborted" } },
  "rolled_back, review owed": {
    status: { state: "rolled_back", at: NOW, by: "bob", reason: "rolled_back", ...owed },
    words: "a review owed",
  },
} as const satisfies Record<string, Situation>

export function verdictOf(kind: Verdict["kind"]): Verdict {
  const [candidateErrors, stableErrors] = [0, 0]
  return {
    kind,
    words: "The candidate is slower.",
    numbers: {
      candidateRequests: 1,
      candidateErrors,
      stableRequests: 1,
      stableErrors,
      likelihoodRatio: 1,
      rollBackAt: 1_000,
    },
  }
}

export const FACTS: Facts = {
  pointer: { stable: P0, stableChangeId: content.changeId },
  inTheWay: null,
  frozen: null,
  overdueReview: null,
  verdict: null,
  versions: { [key("a")]: 1 },
}

export const changeIn = (situation: Situation): Change => ({
  content: { ...content, ...situation.content },
  status: situation.status,
  approvals: approvals.slice(0, situation.given ?? 3),
  comments: [],
})
