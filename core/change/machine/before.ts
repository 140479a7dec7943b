import type { Role } from "../../access.ts"
import type { ChangeId } from "../../ids.ts"
import type { Change, ChangeState, Instant } from "../change.ts"
import { defined } from "../defined.ts"
import type { Policy } from "../policy.ts"
import { holds, objection, owedStage, standingOf } from "../stages.ts"
import { after, isReached } from "../time.ts"
import type { Facts, Transition } from "../transition.ts"
import { hasExpired, isWaiting, liveNow, moved, type Of, past, refused } from "./answers.ts"

export const approve = (change: Change, event: Of<"approve">, policy: Policy, now: Instant): Transition => {
  if (change.status.state !== "awaiting_approval") return past(change, "approved")
  if (hasExpired(change, now)) return refused("CHANGE_STATE", "The change has expired.")
  if (event.contentHash !== undefined && event.contentHash !== change.content.contentHash)
    return refused("CONTENT_HASH_STALE", `The change's contentHash is ${change.content.contentHash}.`)
  const standing = standingOf(change, policy)
  const earlier = standing.flatMap(({ approvals }) => approvals.map(({ actor }) => actor))
  const against = objection(change.content.author, earlier, event.actor)
  if (against !== null) return refused(`APPROVAL_${OBJECTION_CODES[against]}`, OBJECTION_DETAILS[against])
  const stage = owedStage(standing)
  if (stage !== null && !holds(event.roles, stage.role, change.content.scope))
    return refused("APPROVAL_ROLE", `The approval that is due is that of the role ${stage.role}.`)
  // An earlier one of this person that counts no more, because the policy has changed, gives way to this one.
  const others = change.approvals.filter(({ actor }) => actor.subject !== event.actor.subject)
  const approvals = stage === null ? change.approvals : [...others, approvalOf(event, stage.role, now)]
  const next = { ...change, approvals }
  const done = owedStage(standingOf(next, policy)) === null
  return moved(next, done ? { state: "scheduled", since: now } : change.status)
}

const OBJECTION_CODES = { own: "OWN", related: "RELATED", twice: "TWICE" } as const
const OBJECTION_DETAILS = {
  own: "The author's approval of their own change does not count.",
  related: "The token was issued by the author or another approver, or by its holder theirs was.",
  twice: "This person's approval counts already.",
} as const

const approvalOf = ({ actor, comment }: Of<"approve">, role: Role, at: Instant) => ({
  actor,
  role,
  at,
  ...defined({ comment }),
})

export const reject = (change: Change, { actor, comment }: Of<"reject">, now: Instant): Transition =>
  change.status.state === "awaiting_approval"
    ? moved(change, {
        state: "rejected",
        at: now,
        by: actor.subject,
        ...defined({ comment }),
      })
    : past(change, "rejected")

export const cancel = (change: Change, { type: _, ...why }: Of<"cancel">, now: Instant): Transition =>
  isWaiting(change) ? moved(change, { state: "cancelled", at: now, ...why }) : past(change, "cancelled")

export const expire = (change: Change, now: Instant): Transition => {
  if (!isWaiting(change)) return past(change, "let expire")
  return hasExpired(change, now)
    ? moved(change, { state: "expired", at: now })
    : refused("CHANGE_STATE", `The change expires at ${change.content.expiresAt}.`)
}

export const reassess = (change: Change, policy: Policy): Transition => {
  if (change.status.state !== "scheduled") return past(change, "sent back to be approved")
  return owedStage(standingOf(change, policy)) === null
    ? refused("CHANGE_STATE", "The change owes no approval.")
    : moved(change, { state: "awaiting_approval" })
}

export const wait = (change: Change, behind: ChangeId | null): Transition => {
  const { status } = change
  if (status.state !== "scheduled") return past(change, "made to wait")
  if ((status.waitingFor ?? null) === behind)
    return refused("CHANGE_STATE", "The change waits for that already.")
  return moved(change, {
    state: "scheduled",
    since: status.since,
    ...(behind === null ? {} : { waitingFor: behind }),
  })
}

export const start = (change: Change, policy: Policy, now: Instant, facts: Facts): Transition => {
  const { content, status } = change
  if (status.state !== "scheduled") return past(change, "started")
  if (hasExpired(change, now)) return refused("CHANGE_STATE", "The change has expired.")
  if (content.startAt !== undefined && !isReached(content.startAt, now))
    return refused("CHANGE_STATE", `The change starts at ${content.startAt}.`)
  if (owedStage(standingOf(change, policy)) !== null)
    return refused("CHANGE_STATE", "The change owes approvals.")
  if (facts.inTheWay !== null)
    return refused("CHANGE_STATE", `The change waits for ${facts.inTheWay} to end.`)
  const started = { ...change, versions: facts.versions }
  if (content.plan.length === 0) return moved(started, liveNow(now, facts), "publish")
  return moved(
    started,
    { state: "rolling_out", step: 0, enteredAt: now, startedAt: now, paused: false, heldMs: 0 },
    "open",
  )
}

export const breakGlass = (
  change: Change,
  { actor, comment }: Of<"break_glass">,
  policy: Policy,
  now: Instant,
  facts: Facts,
): Transition => {
  if (!isWaiting(change)) return past(change, "made live by breaking glass")
  if (hasExpired(change, now)) return refused("CHANGE_STATE", "The change has expired.")
  if (facts.overdueReview !== null)
    return refused("REVIEW_OVERDUE", `The review of ${facts.overdueReview} is overdue.`)
  if (facts.inTheWay !== null)
    return refused("CHANGE_STATE", `${facts.inTheWay} has to be rolled back first.`)
  const review = { due: after(now, policy.reviewWithinMs) }
  const status: ChangeState = { ...liveNow(now, facts), brokenGlassBy: actor, review }
  // Why the glass was broken is for the reviewer to read.
  const why = comment === undefined ? [] : [{ subject: actor.subject, at: now, text: comment }]
  const comments = [...change.comments, ...why]
  return moved({ ...change, comments, versions: facts.versions }, status, "publish")
}
