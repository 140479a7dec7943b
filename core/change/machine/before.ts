import type { ChangeId } from "../../ids.ts"
import type { Change, ChangeState, Frozen, Instant } from "../change.ts"
import type { Policy } from "../policy.ts"
import { isPolicyChange } from "../policy-change.ts"
import { owedStage, standingOf } from "../stages.ts"
import { after, isReached } from "../time.ts"
import type { Facts, Transition } from "../transition.ts"
import { frozenUntil, hasExpired, isWaiting, liveNow, moved, type Of, past, refused } from "./answers.ts"

export const cancel = (change: Change, { type: _, ...why }: Of<"cancel">, now: Instant): Transition =>
  isWaiting(change) ? moved(change, { state: "cancelled", at: now, ...why }) : past(change, "cancelled")

export const expire = (change: Change, now: Instant): Transition => {
  if (!isWaiting(change)) return past(change, "let expire")
  return hasExpired(change, now)
    ? moved(change, { state: "expired", at: now })
    : refused("CHANGE_STATE", `The change expires at ${change.content.expiresAt}.`)
}

export const wait = (change: Change, behind: ChangeId | null): Transition => {
  const { status } = change
  if (status.state !== "scheduled") return past(change, "made to wait")
  if ((status.waitingFor ?? null) === behind && status.frozen === undefined)
    return refused("CHANGE_STATE", "The change waits for that already.")
  return moved(change, {
    state: "scheduled",
    since: status.since,
    ...(behind === null ? {} : { waitingFor: behind }),
  })
}

/** A freeze concerns what is due to start, and a rollout whose hold is over. */
export const freeze = (change: Change, { frozen }: Of<"freeze">, facts: Facts): Transition => {
  const { status } = change
  if (status.state !== "scheduled" && status.state !== "rolling_out") return past(change, "frozen")
  if (frozen !== null && facts.frozen === null) return refused("CHANGE_STATE", "There is no freeze.")
  if (isSame(status.frozen ?? null, frozen)) return refused("CHANGE_STATE", "That is known already.")
  const told = frozen === null ? {} : { frozen }
  if (status.state === "scheduled") return moved(change, { state: "scheduled", since: status.since, ...told })
  const { frozen: _, ...rest } = status
  return moved(change, { ...rest, ...told })
}

const isSame = (one: Frozen | null, other: Frozen | null): boolean =>
  one?.name === other?.name && one?.until === other?.until

export const start = (change: Change, policy: Policy, now: Instant, facts: Facts): Transition => {
  const { content, status } = change
  if (status.state !== "scheduled") return past(change, "started")
  if (hasExpired(change, now)) return refused("CHANGE_STATE", "The change has expired.")
  if (content.startAt !== undefined && !isReached(content.startAt, now))
    return refused("CHANGE_STATE", `The change starts at ${content.startAt}.`)
  if (owedStage(standingOf(change, policy)) !== null)
    return refused("CHANGE_STATE", "The change owes approvals.")
  if (facts.frozen !== null) return frozenUntil(facts.frozen)
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
  { actor, roles, comment }: Of<"break_glass">,
  policy: Policy,
  now: Instant,
  facts: Facts,
): Transition => {
  if (!isWaiting(change)) return past(change, "made live by breaking glass")
  if (hasExpired(change, now)) return refused("CHANGE_STATE", "The change has expired.")
  if (isPolicyChange(change))
    return refused("BREAK_GLASS_FORBIDDEN", "Nobody changes a policy by breaking glass.")
  const { breakGlass: breakers } = policy
  if (breakers.length === 0) return refused("BREAK_GLASS_FORBIDDEN", "The policy lets nobody break glass.")
  if (!roles.some((role) => role === "platform_admin" || breakers.includes(role)))
    return refused("BREAK_GLASS_FORBIDDEN", `The policy lets these break glass: ${breakers.join(", ")}.`)
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
