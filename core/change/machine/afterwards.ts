import { type Change, type ChangeState, type Instant, isOpen, owedReview } from "../change.ts"
import { defined } from "../defined.ts"
import type { Policy } from "../policy.ts"
import { isPolicyChange } from "../policy-change.ts"
import { objection } from "../stages.ts"
import { msBetween } from "../time.ts"
import type { Facts, Transition } from "../transition.ts"
import { moved, type Of, past, refused } from "./answers.ts"

export const rollback = (
  change: Change,
  { actor, comment }: Of<"rollback">,
  policy: Policy,
  now: Instant,
  { pointer }: Facts,
): Transition => {
  const { content, status } = change
  if (status.state === "rolling_out")
    return refused("CHANGE_STATE", "The change is rolling out, not live; abort it instead.")
  if (status.state !== "live") return past(change, "rolled back")
  if (isPolicyChange(change))
    return refused("ROLLBACK_POLICY", "Without its approvals, no policy takes the place of another.")
  if (pointer.stableChangeId !== content.changeId)
    return refused("ROLLBACK_BURIED", "Other changes have gone live since.")
  if (msBetween(status.at, now) > policy.rollbackWindowMs)
    return refused("ROLLBACK_WINDOW", `It went live at ${status.at}, longer ago than the rollback window.`)
  return moved(change, takenBack(status, { by: actor.subject, comment }, now), "return")
}

/** Taken back along with others: stable returns to a release from before all of them. */
export const returned = (change: Change, { by, comment }: Of<"returned">, now: Instant): Transition =>
  change.status.state === "live"
    ? moved(change, takenBack(change.status, { by, comment }, now))
    : past(change, "rolled back")

const takenBack = (
  { brokenGlassBy, review: owed, gate, tripped }: Extract<ChangeState, { state: "live" }>,
  { by, comment: why }: { by: string; comment: string | undefined },
  at: Instant,
): ChangeState => ({
  state: "rolled_back",
  at,
  by,
  reason: "rolled_back",
  ...defined({ comment: why }),
  ...defined({ brokenGlassBy }),
  ...defined({ review: owed, gate, tripped }),
})

export const review = (change: Change, { actor, comment }: Of<"review">, now: Instant): Transition => {
  const { content, status } = change
  const owed = owedReview(change)
  if (owed === null || !("review" in status))
    return refused("REVIEW_NOT_DUE", "The change did not break glass, or has been reviewed.")
  const against = objection(content.author, status.brokenGlassBy ? [status.brokenGlassBy] : [], actor)
  if (against === "related")
    return refused(
      "APPROVAL_RELATED",
      "The token is related to that of the author or of who broke the glass.",
    )
  if (against !== null)
    return refused("APPROVAL_OWN", "Neither the author nor who broke the glass reviews it.")
  const given = {
    due: status.review.due,
    by: actor.subject,
    at: now,
    ...defined({ comment }),
  }
  return moved(change, { ...status, review: given })
}

/** They are read along with the change, whatever is decided. */
const COMMENTS_MAX = 200

export const comment = (change: Change, { subject, text }: Of<"comment">, now: Instant): Transition => {
  if (!isOpen(change) && change.status.state !== "live") return past(change, "commented on")
  if (change.comments.length >= COMMENTS_MAX)
    return refused("COMMENTS_TOO_MANY", `The change has ${change.comments.length} comments.`)
  return {
    ok: true,
    change: { ...change, comments: [...change.comments, { subject, at: now, text }] },
    effects: [],
  }
}
