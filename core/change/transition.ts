import type { Role } from "../access.ts"
import type { ProblemCode } from "../errors.ts"
import type { Verdict } from "../gate/verdict.ts"
import type { ChangeId, ConfigKey, TenantId } from "../ids.ts"
import type { Pointer } from "../release/release.ts"
import type { Actor, CancelReason, Change, Frozen, Instant, RollbackReason } from "./change.ts"
import type { By } from "./command.ts"
import { comment, returned, review, rollback } from "./machine/afterwards.ts"
import { approve, reassess, reject, remind, withdraw } from "./machine/approving.ts"
import { breakGlass, cancel, expire, freeze, start, wait } from "./machine/before.ts"
import { abort, advance, hold, pause, resume, signal, trip } from "./machine/during.ts"
import type { Policy } from "./policy.ts"

/** What can happen to a change. Every state answers to every one of these. */
export type ChangeEvent =
  | {
      type: "approve"
      actor: Actor
      roles: readonly Role[]
      comment?: string | undefined
      contentHash?: string | undefined
    }
  | { type: "withdraw"; actor: Actor; comment?: string | undefined }
  | { type: "reject"; actor: Actor; comment?: string | undefined }
  /** The clock's only when it is time. */
  | { type: "remind"; by: By }
  | {
      type: "cancel"
      by: string
      reason: CancelReason
      detail?: string
      keys?: readonly ConfigKey[]
      movedBy?: ChangeId
    }
  | { type: "expire" }
  /** The approvals given are not enough any more, or are enough again. */
  | { type: "reassess" }
  /** It is due, but that rollout is in its way; `null`: not any more, though it has yet to start. */
  | { type: "wait"; behind: ChangeId | null }
  /** It is due, or its hold is over, but there is a freeze; `null`: not any more, though it has yet to move. */
  | { type: "freeze"; frozen: Frozen | null }
  | { type: "start" }
  | { type: "advance"; by: By; step?: number | undefined }
  /** The hold is over, and the gate does not let it go on. */
  | { type: "hold"; verdict: Verdict }
  /** An alarm outside; one that says all is well is no event. */
  | { type: "signal"; by: string; verdict: "unhealthy" | "hold"; source: string; summary: string }
  /** The candidate fails a tenant, one of so many that the waves have reached. */
  | { type: "trip"; by: string; tenantId: TenantId; step: number; words: string; reached: number }
  | { type: "pause" }
  | { type: "resume" }
  | { type: "abort"; by: string; reason: RollbackReason; comment?: string }
  | { type: "break_glass"; actor: Actor; roles: readonly Role[]; comment?: string | undefined }
  | { type: "rollback"; actor: Actor; comment?: string | undefined }
  /** Stable goes back to a release from before it, over other changes. */
  | { type: "returned"; by: string; comment?: string | undefined }
  | { type: "review"; actor: Actor; comment?: string | undefined }
  | { type: "comment"; subject: string; text: string }

/**
 * What a transition does to what is served. publish: the edits go to stable · open: a candidate at the first
 * step · step: the candidate's weight grows · settle: the candidate becomes stable · drop: the candidate goes
 * · exclude: tenants that it fails are taken out of the candidate · return: stable goes back to what it was before the
 * change.
 */
export type Effect = "publish" | "open" | "step" | "exclude" | "settle" | "drop" | "return"

/** What a transition has to know about the scope besides the change. */
export interface Facts {
  pointer: Pick<Pointer, "stable" | "stableChangeId">
  /** The rollout that a start would collide with. */
  inTheWay: ChangeId | null
  /** The freeze in force, for changes that it concerns. */
  frozen: Frozen | null
  /** A change that broke glass and was not reviewed in time. */
  overdueReview: ChangeId | null
  /** The numbers a start gives to the edited keys. */
  versions: NonNullable<Change["versions"]>
  /** Of the step the change is at; `null` where the gate was not asked. */
  verdict: Verdict | null
}

export type Transition =
  | { ok: true; change: Change; effects: readonly Effect[] }
  | { ok: false; code: ProblemCode; detail: string }

/**
 * The change machine: what a change becomes when something happens to it, and what that does to what is
 * served. Docs and a test spell out the table, every state by every event.
 */
export const transition = (
  change: Change,
  event: ChangeEvent,
  policy: Policy,
  now: Instant,
  facts: Facts,
): Transition => {
  switch (event.type) {
    case "approve":
      return approve(change, event, policy, now)
    case "withdraw":
      return withdraw(change, event, policy, now)
    case "remind":
      return remind(change, event, policy, now)
    case "reject":
      return reject(change, event, now)
    case "cancel":
      return cancel(change, event, now)
    case "expire":
      return expire(change, now)
    case "reassess":
      return reassess(change, policy, now)
    case "wait":
      return wait(change, event.behind)
    case "freeze":
      return freeze(change, event, facts)
    case "start":
      return start(change, policy, now, facts)
    case "advance":
      return advance(change, event, now, facts)
    case "hold":
      return hold(change, event, now)
    case "signal":
      return signal(change, event, now)
    case "trip":
      return trip(change, event, now)
    case "pause":
      return pause(change, now)
    case "resume":
      return resume(change, now)
    case "abort":
      return abort(change, event, now, facts)
    case "break_glass":
      return breakGlass(change, event, policy, now, facts)
    case "rollback":
      return rollback(change, event, policy, now, facts)
    case "returned":
      return returned(change, event, now)
    case "review":
      return review(change, event, now)
    case "comment":
      return comment(change, event, now)
  }
}
