import type { Role } from "../access.ts"
import type { Environment } from "../environment.ts"
import type { FieldError, ProblemCode } from "../errors.ts"
import type { Evidence } from "../gate/evidence.ts"
import type { WaveEvidence } from "../gate/waves.ts"
import type { ChangeId, ConfigKey, ReleaseId, TenantId, Tier } from "../ids.ts"
import type { Json } from "../json.ts"
import type { Candidate } from "../release/release.ts"
import type { LayerEntries } from "../release/view.ts"
import type { SecretSource, SecretStanding } from "../secret/edits.ts"
import type { Secret } from "../secret/secret.ts"
import type { Actor, Change, ChangeContent, ChangeState, Instant, Strategy } from "./change.ts"
import type { Policy } from "./policy.ts"
import type { Commit, Move } from "./scope-state.ts"

/**
 * One key as the caller wants it. A member left out keeps what the stable release has of it;
 * `null` for `schema`, `description` or `owner` takes it away. `delete` stands alone.
 */
export interface EditInput {
  key: ConfigKey
  /** A {@link Secret} where it may be one. */
  value?: Json | Secret | undefined
  /** Is the value to be sealed? Left out: if the one that stands is. */
  secret?: boolean | undefined
  /** The value is what is sealed there; `value` is left out. */
  copies?: SecretSource | undefined
  schema?: Json | undefined
  description?: string | null | undefined
  owner?: string | null | undefined
  locked?: boolean | undefined
  delete?: true | undefined
  /** The earlier version these members were read from. */
  restores?: number | undefined
  /** The version the caller read (0: none); another one in stable is VERSION_STALE. */
  ifMatch?: number | undefined
  /** Of a policy: what of it is said or deleted. The other part stays as it stands, unless members are said with rules among them. */
  part?: "members" | "rules" | undefined
  /** The key must not be in stable (CONFIG_EXISTS): a POST that creates. */
  mustBeNew?: true | undefined
}

/** Who moves a rollout along: a person, or the clock, which never overrides anything. */
export type By = { kind: "person"; actor: Actor } | { kind: "clock" }

/**
 * Something somebody or the clock wants of one scope × environment. Whether they may at all
 * (`may` in access.ts, a suspended tenant) has been settled at the door; the rules here are those that
 * hold for whoever it is.
 */
export type Command =
  | Submit
  | Approve
  | Reject
  | Cancel
  | AddComment
  | Pause
  | Resume
  | Advance
  | Abort
  | Rollback
  | BreakGlass
  | Review
  | Tick
  | ChangeTier
  | Withdraw
  | Remind
  | RaiseSignal
  | TripTenant
  | RollbackTo

/**
 * A new change. Edits that alter nothing are left out of it, and a change of which nothing is left is
 * CHANGE_EMPTY (a PUT of what is there already too: nothing is written, no version is spent).
 * With no approval owed and the way clear it is live (or rolling out) in the same commit.
 */
export interface Submit {
  type: "submit"
  changeId: ChangeId
  author: Actor
  edits: readonly EditInput[]
  /** Where the edits were copied from: see `editsOfPromotion`. Only to the next environment in the order. */
  promotedFrom?: NonNullable<ChangeContent["promotedFrom"]> | undefined
  /** The policy's, when left out. */
  strategy?: Strategy | undefined
  /** `true` adds the default chain where the policy asks nobody; `false` weakens nothing. */
  approvalRequired?: boolean | undefined
  comment?: string | undefined
  /** Not before this; must lie before the change expires. */
  startAt?: Instant | undefined
  /** An open change that has not started, which this one takes the place of. */
  replaces?: ChangeId | undefined
  /** The author is a platform admin, who says what a tenant is granted: see `isEntitlement`. */
  mayGrant?: boolean | undefined
}

/** Takes back the actor's own approval; what was scheduled on it awaits approval again. Too late once it started. */
export interface Withdraw {
  type: "withdraw"
  changeId: ChangeId
  actor: Actor
  comment?: string | undefined
}
/** Has those told again whose approval is due. The clock's own reminders come with its ticks. */
export interface Remind {
  type: "remind"
  changeId: ChangeId
  actor: Actor
}
/** An alarm outside: `unhealthy` rolls back what rolls out, `hold` pauses it, `healthy` alters nothing. */
export interface RaiseSignal {
  type: "signal"
  changeId: ChangeId
  /** Who brought it: the token's holder, or who signed it. */
  actor: Actor
  verdict: "unhealthy" | "hold" | "healthy"
  source: string
  summary: string
}
/** Reports of a tenant's readers tell that a wave's candidate fails it. A messenger's, like a tick. */
export interface TripTenant {
  type: "trip"
  changeId: ChangeId
  tenantId: TenantId
  /** The step the reports are of; another one by now: nothing. */
  step: number
  /** Why, in a sentence. */
  words: string
  /** How many tenants the waves have reached so far; more than three need not be counted. */
  reached: number
}
/**
 * Stable back to a release, or to what it was at a time; neither: to the release before. Only to one that was stable
 * within the rollback window and was not itself rolled back; else refused with a `draft`. The policy in force stays.
 */
export interface RollbackTo {
  type: "rollback_to"
  actor: Actor
  toRelease?: ReleaseId | undefined
  asOf?: Instant | undefined
  comment?: string | undefined
}

export interface Approve {
  type: "approve"
  changeId: ChangeId
  actor: Actor
  /** Roles of the actor's token; `platform_admin` stands for any role on the platform and its tiers, once per person. */
  roles: readonly Role[]
  comment?: string | undefined
  /** The content the approver read; another one is CONTENT_HASH_STALE. */
  contentHash?: string | undefined
}
export interface Reject {
  type: "reject"
  changeId: ChangeId
  actor: Actor
  comment?: string | undefined
}
export interface Cancel {
  type: "cancel"
  changeId: ChangeId
  actor: Actor
  comment?: string | undefined
}
/** A remark on a change that is open or live; it moves nothing. */
export interface AddComment {
  type: "comment"
  changeId: ChangeId
  actor: Actor
  text: string
}
export interface Pause {
  type: "pause"
  changeId: ChangeId
  actor: Actor
  comment?: string | undefined
}
export interface Resume {
  type: "resume"
  changeId: ChangeId
  actor: Actor
  comment?: string | undefined
}
/** To the next step, or live after the last. A person may cut a hold short; the clock only ends one. */
export interface Advance {
  type: "advance"
  changeId: ChangeId
  /** The step the caller saw. Without it, a request sent twice advances twice. */
  step?: number | undefined
  by: By
  comment?: string | undefined
}
/** Ends a rollout before it is live: everyone back on stable at once. */
export interface Abort {
  type: "abort"
  changeId: ChangeId
  by: By
  /** `aborted`, when left out. */
  reason?: "aborted" | "unhealthy" | "timed_out" | undefined
  comment?: string | undefined
}
/** Takes back a live change. Refused with a `draft` in `extra` when it is buried or the window is over. */
export interface Rollback {
  type: "rollback"
  changeId: ChangeId
  actor: Actor
  comment?: string | undefined
  /** As of {@link Submit}: what a tenant is granted is taken back by nobody else. */
  mayGrant?: boolean | undefined
}
/** Live at once without the approvals owed; somebody else reviews it afterwards. */
export interface BreakGlass {
  type: "break_glass"
  changeId: ChangeId
  actor: Actor
  /** Roles of the actor's token: the policy names those who may. */
  roles: readonly Role[]
  /** Kept among the change's comments, for the reviewer. */
  comment?: string | undefined
}
/** The review that a change owes that broke glass, by neither its author nor who broke it. */
export interface Review {
  type: "review"
  changeId: ChangeId
  actor: Actor
  comment?: string | undefined
}
/** The clock looks at a change and does what is due: expire, start, step on. Otherwise nothing. */
export interface Tick {
  type: "tick"
  changeId: ChangeId
}
/** A tenant's tier has changed: its pointer moves so that no reader mixes the old tier with the new. */
export interface ChangeTier {
  type: "tier"
  tier: Tier
  actor: Actor
}

export interface DecideContext {
  /** ISO 8601 UTC. */
  now: Instant
  /** In the order of promotion. */
  environments: readonly Environment[]
  /** The policy in force for the scope × environment. */
  policy: Policy
  requestId?: string | undefined
  /**
   * What was reported of the step that the command's change is at, for commands that the gate has a say in:
   * `advance`, `abort` and `tick`. Left out, the gate is not asked.
   */
  evidence?: Evidence | undefined
  /** The same for a change that reaches tenants by waves. */
  waves?: WaveEvidence | undefined
  /**
   * The pointer's rows of the rollback window, oldest first, beginning with the one in force when it began: for
   * `rollback_to` alone.
   */
  moves?: readonly Move[] | undefined
  /** What was sealed last of each key that was asked for by `needs_secrets`. */
  secrets?: ReadonlyMap<ConfigKey, SecretStanding> | undefined
  /** What the layers that the scope stands on have of the keys that `needs_inherited` asked for, farthest first. */
  inherited?: { keys: ReadonlySet<ConfigKey>; layers: readonly LayerEntries[] } | undefined
}

/** What a commit comes to, for the caller to show. */
export interface Outcome {
  /** Stable and candidate as the commit leaves them, and the number of the pointer then. */
  stable: ReleaseId
  candidate: Candidate | null
  seq: number
  /** Other changes that the same commit moved: cancelled because their base moved, started, rolled back. */
  affected: readonly { changeId: ChangeId; state: ChangeState["state"]; reason: string | null }[]
}

/**
 * The answer to a command. The `needs_…` kinds say that the state does not hold enough to decide on:
 * load again with *also* that, and decide again (at most once each). `nothing` is for messengers
 * who came too late or too early: nothing is to be written and nobody is to be told.
 */
export type Decision =
  | {
      kind: "commit"
      commit: Commit
      /** The change the command named, as it is then; `null` where it names none. */
      change: Change | null
      result: Outcome
    }
  | { kind: "nothing" }
  | Refused
  | { kind: "needs_all_chunks" }
  | { kind: "needs_releases"; releases: readonly ReleaseId[] }
  | { kind: "needs_keys"; keys: readonly ConfigKey[] }
  | { kind: "needs_changes"; changes: readonly ChangeId[] }
  | { kind: "needs_secrets"; keys: readonly ConfigKey[] }
  | { kind: "needs_inherited"; keys: readonly ConfigKey[] }

/** Becomes a `Refusal`: same members. */
export interface Refused {
  kind: "refused"
  code: ProblemCode
  detail: string
  errors?: readonly FieldError[]
  /** `draft` with ROLLBACK_BURIED, ROLLBACK_WINDOW and ROLLBACK_POLICY, where there is one: see `Draft`, of a policy `PolicyDraft`. */
  extra?: Readonly<Record<string, Json>>
}
