import type { Role } from "../../access.ts"
import type { Change, ChangeState, Instant } from "../change.ts"
import { defined } from "../defined.ts"
import type { Policy } from "../policy.ts"
import { POLICY_BOUNDS } from "../policy-document.ts"
import { holds, objection, owedStage, standingOf } from "../stages.ts"
import { after, isReached, msBetween } from "../time.ts"
import type { Transition } from "../transition.ts"
import { hasExpired, isWaiting, moved, type Of, past, refused } from "./answers.ts"

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
  const due = owedStage(standingOf(next, policy))
  if (due === null) return moved(next, { state: "scheduled", since: now })
  // Whose approval has now become due is told so.
  return moved(next, due.role === stage?.role ? change.status : askedFor(now))
}

/** Everyone whose approval is due has been told at this time. */
const askedFor = (remindedAt: Instant): ChangeState => ({ state: "awaiting_approval", remindedAt })

export const withdraw = (
  change: Change,
  { actor }: Of<"withdraw">,
  policy: Policy,
  now: Instant,
): Transition => {
  if (!isWaiting(change)) return past(change, "approved no more")
  if (hasExpired(change, now)) return refused("CHANGE_STATE", "The change has expired.")
  const approvals = change.approvals.filter((given) => given.actor.subject !== actor.subject)
  if (approvals.length === change.approvals.length)
    return refused("APPROVAL_NONE", "This person has not approved the change.")
  const next = { ...change, approvals }
  const isOwed = owedStage(standingOf(next, policy)) !== null
  return moved(next, isOwed ? askedFor(now) : change.status)
}

/** The approvals given are not enough any more, or are enough again. */
export const reassess = (change: Change, policy: Policy, now: Instant): Transition => {
  if (!isWaiting(change)) return past(change, "assessed again")
  const isOwed = owedStage(standingOf(change, policy)) !== null
  if (isOwed === (change.status.state === "awaiting_approval"))
    return refused("CHANGE_STATE", `The change owes ${isOwed ? "approvals still" : "no approval"}.`)
  return moved(change, isOwed ? askedFor(now) : { state: "scheduled", since: now })
}

/** When those whose approval is due are to be reminded next; `null`: never, or nobody's is. */
export const remindAt = ({ content, status }: Change, { remindEveryMs }: Policy): Instant | null =>
  status.state !== "awaiting_approval" || remindEveryMs === null
    ? null
    : after(status.remindedAt ?? content.createdAt, remindEveryMs)

export const remind = (change: Change, { by }: Of<"remind">, policy: Policy, now: Instant): Transition => {
  if (change.status.state !== "awaiting_approval") return past(change, "approved")
  if (hasExpired(change, now)) return refused("CHANGE_STATE", "The change has expired.")
  const at = remindAt(change, policy)
  if (by.kind === "clock" && (at === null || !isReached(at, now)))
    return refused("CHANGE_STATE", "It is not time to remind anybody.")
  const toldAt = change.status.remindedAt ?? change.content.createdAt
  // Each reminder goes to every channel: somebody who holds the key down is not to flood them.
  if (msBetween(toldAt, now) < POLICY_BOUNDS.remindEveryMs.min)
    return refused("CHANGE_STATE", `They were told at ${toldAt}, less than a minute ago.`)
  return moved(change, askedFor(now))
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
