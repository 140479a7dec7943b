import type { Role } from "../access.ts"
import type { Environment } from "../environment.ts"
import type { Judgement } from "../gate/verdict.ts"
import type { ChangeId, ConfigKey, ReleaseId, ScopeId, TokenId } from "../ids.ts"
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
export type Strategy = { type: "direct" } | { type: "canary"; steps: Step[] }
/** A share of readers in basis points, and how long it is held before the next; `null` waits for a person. */
export interface Step {
  weightBp: number
  holdMs: number | null
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

/** Owed by a change that broke glass until `at` says when `by` gave it. */
export interface Review {
  due: Instant
  by?: string
  at?: Instant
  comment?: string
}

/** Where a change has got to. */
export type ChangeState =
  | { state: "awaiting_approval" }
  | {
      state: "scheduled"
      /** Since when it owes nothing: changes start in this order. */
      since: Instant
      /** The rollout that is in its way although it is due. */
      waitingFor?: ChangeId
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
