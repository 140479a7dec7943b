import type { Role } from "../access.ts"
import type { Environment } from "../environment.ts"
import type { GateThresholds } from "../gate/thresholds.ts"
import type { Judgement } from "../gate/verdict.ts"
import type { ChangeId, ConfigKey, ReleaseId, ScopeId, TenantId, Tier, TokenId } from "../ids.ts"
import type { Json } from "../json.ts"

/** ISO 8601 UTC. */
export type Instant = string

/** Who did it: enough to tell later whether two people were really two. */
export interface Actor {
  subject: string
  tokenId: TokenId | "startup"
  /** Subjects that issued the token, nearest first. */
  ancestors: readonly string[]
}

/** One key of a change, complete: what the key will be, not a patch. `value` absent is a delete. */
export interface Edit {
  key: ConfigKey
  value?: Json
  schema?: Json
  description?: string
  owner?: string
  locked?: true
  /** The earlier version this edit brings back. */
  restores?: number
}

/** An approval owed: `required` different people holding `role`. Stages are satisfied in order. */
export interface Stage {
  role: Role
  required: number
}

export interface Approval {
  actor: Actor
  /** The stage it was given for. */
  role: Role
  at: Instant
  comment?: string
}

export interface Comment {
  subject: string
  at: Instant
  text: string
}

/** How a change reaches readers. Growth is cumulative and never shrinks. */
export type Strategy =
  | { type: "direct" }
  | { type: "canary"; steps: Step[] }
  /** The candidate waits in a slot of its own; then everyone is switched over, and the old slot kept for `bakeMs`. */
  | { type: "blue_green"; bakeMs?: number }
  /** For the platform and tiers: tenant by tenant. */
  | { type: "rolling"; waves: Wave[] }
export type StrategyType = Strategy["type"]
/** The tenants that a wave adds to those before it, and how long it is held; left out, the default. */
export type Wave = ({ tier: Tier } | { tenants: TenantId[] } | { weightBp: number }) & {
  holdMs?: number | null
}
/** A share of readers in basis points, and how long it is held before the next; `null` waits for a person. */
export interface Step {
  weightBp: number
  holdMs: number | null
  /** Of a wave: all tenants of these tiers, and these tenants, besides the share. Cumulative like the share. */
  tiers?: readonly Tier[]
  tenants?: readonly TenantId[]
}
/** The one plan type: the steps before everyone. No steps is direct. */
export type Plan = readonly Step[]

/** What a change is: fixed at submission. Editing one makes another that `replaces` it. */
export interface ChangeContent {
  changeId: ChangeId
  scope: ScopeId
  environment: Environment
  author: Actor
  createdAt: Instant
  comment?: string
  edits: readonly Edit[]
  /** Version each edited key had in the stable release; 0 where it had none. */
  base: Readonly<Record<ConfigKey, number>>
  promotedFrom?: {
    environment: Environment
    release: ReleaseId
    versions: Readonly<Record<ConfigKey, number>>
  }
  replaces?: ChangeId
  strategy: Strategy
  plan: Plan
  stages: readonly Stage[]
  /** What the policy's gate asks other than the default; fixed and approved with the rest. */
  gate?: Partial<GateThresholds>
  /** Not before this. */
  startAt?: Instant
  /** When it lapses if it has not started. */
  expiresAt: Instant
  /** SHA-256 over edits, plan, base and schemas: what approvals bind to. */
  contentHash: string
}

export type RollbackReason =
  | "aborted"
  | "unhealthy"
  | "timed_out"
  | "superseded"
  | "rolled_back"
  | "broken_glass"
export type CancelReason = "cancelled" | "base_moved" | "invalid"

/** A tenant taken out of a wave because the candidate fails it, and why, in a sentence. */
export interface TrippedTenant {
  tenantId: TenantId
  at: Instant
  words: string
}

/** What an alarm outside said. `source` names the system, `summary` is its own sentence. */
export interface Signal {
  at: Instant
  source: string
  summary: string
}

/** A window in which nothing starts and no rollout grows. */
export interface Frozen {
  name: string
  until: Instant
}

/** Owed by a change that broke glass until `at` says when `by` gave it. */
export interface Review {
  due: Instant
  by?: string
  at?: Instant
  comment?: string
}

/** Where a change has got to. */
export type ChangeState =
  | {
      state: "awaiting_approval"
      /** When those whose approval is due were last reminded. */
      remindedAt?: Instant
    }
  | {
      state: "scheduled"
      /** Since when it owes nothing: changes start in this order. */
      since: Instant
      /** The rollout that is in its way although it is due. */
      waitingFor?: ChangeId
      /** The freeze that is in its way although it is due. */
      frozen?: Frozen
    }
  | {
      state: "rolling_out"
      step: number
      /** When this step began, or was last resumed. */
      enteredAt: Instant
      startedAt: Instant
      paused: boolean
      /** Milliseconds of this step's hold already spent when it was paused. */
      heldMs: number
      /** What the gate said as each step ended, and of the step it is at once it was held back. */
      gate?: readonly Judgement[]
      /** Tenants that the candidate failed and that are back on stable. Only of waves. */
      tripped?: readonly TrippedTenant[]
      /** What an alarm said that held it back. */
      signal?: Signal
      /** The freeze that keeps the clock from going on. */
      frozen?: Frozen
    }
  | {
      state: "live"
      at: Instant
      /** What a rollback returns to, and the change that had made it. */
      previousStable: ReleaseId
      previousChangeId: ChangeId | null
      brokenGlassBy?: Actor
      review?: Review
      gate?: readonly Judgement[]
      tripped?: readonly TrippedTenant[]
    }
  | { state: "rejected"; at: Instant; by: string; comment?: string }
  | {
      state: "cancelled"
      at: Instant
      by: string
      reason: CancelReason
      detail?: string
      /** With `base_moved`: the edited keys that were changed, and by which change. */
      keys?: readonly ConfigKey[]
      movedBy?: ChangeId
    }
  | { state: "expired"; at: Instant }
  | {
      state: "rolled_back"
      at: Instant
      by: string
      reason: RollbackReason
      comment?: string
      tripped?: readonly TrippedTenant[]
      signal?: Signal
      /** Rolling back does not excuse from the review. */
      brokenGlassBy?: Actor
      review?: Review
      gate?: readonly Judgement[]
    }

/** A change: its fixed content and everything that happened to it. */
export interface Change {
  content: ChangeContent
  status: ChangeState
  approvals: readonly Approval[]
  comments: readonly Comment[]
  /** Version numbers given when it started; absent on a change that never did. */
  versions?: Readonly<Record<ConfigKey, number>>
}

export const CHANGE_STATES = [
  "awaiting_approval",
  "scheduled",
  "rolling_out",
  "live",
  "rejected",
  "cancelled",
  "expired",
  "rolled_back",
] as const satisfies readonly ChangeState["state"][]

/** Something more will happen to it: it waits, or rolls out. */
export const isOpen = (change: Change): boolean =>
  change.status.state === "awaiting_approval" ||
  change.status.state === "scheduled" ||
  change.status.state === "rolling_out"

/** The review that a change owes which broke glass, until somebody gave it. */
export const owedReview = ({ status }: Change): Review | null =>
  "review" in status && status.review !== undefined && status.review.at === undefined ? status.review : null
