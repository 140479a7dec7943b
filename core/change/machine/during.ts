import type { Change, Instant } from "../change.ts"
import { after, isReached, msBetween } from "../time.ts"
import type { Facts, Transition } from "../transition.ts"
import { liveNow, moved, type Of, past, refused } from "./answers.ts"

/** When the hold of the step it is at will be over; `null` when only a person ends it, or nothing is held. */
export const holdEndsAt = ({ content, status }: Change): Instant | null => {
  if (status.state !== "rolling_out" || status.paused) return null
  const holdMs = content.plan[status.step]?.holdMs ?? null
  return holdMs === null ? null : after(status.enteredAt, Math.max(0, holdMs - status.heldMs))
}

export const advance = (
  change: Change,
  { by, step }: Of<"advance">,
  now: Instant,
  facts: Facts,
): Transition => {
  const { content, status } = change
  if (status.state !== "rolling_out") return past(change, "advanced")
  if (step !== undefined && step !== status.step)
    return refused("CHANGE_STEP", `The rollout is at step ${status.step}.`)
  if (status.paused) return refused("CHANGE_STATE", "The rollout is paused; resume it first.")
  const holdEnd = holdEndsAt(change)
  if (by.kind === "clock" && (holdEnd === null || !isReached(holdEnd, now)))
    return refused("CHANGE_STATE", "The step's hold is not over.")
  if (status.step + 1 >= content.plan.length) return moved(change, liveNow(now, facts), "settle")
  return moved(change, { ...status, step: status.step + 1, enteredAt: now, heldMs: 0 }, "step")
}

export const pause = (change: Change, now: Instant): Transition => {
  const { status } = change
  if (status.state !== "rolling_out") return past(change, "paused")
  if (status.paused) return refused("CHANGE_STATE", "The rollout is paused already.")
  return moved(change, {
    ...status,
    paused: true,
    heldMs: status.heldMs + msBetween(status.enteredAt, now),
  })
}

export const resume = (change: Change, now: Instant): Transition => {
  const { status } = change
  if (status.state !== "rolling_out") return past(change, "resumed")
  if (!status.paused) return refused("CHANGE_STATE", "The rollout is not paused.")
  return moved(change, { ...status, paused: false, enteredAt: now })
}

export const abort = (change: Change, { type: _, ...why }: Of<"abort">, now: Instant): Transition =>
  change.status.state === "rolling_out"
    ? moved(change, { state: "rolled_back", at: now, ...why }, "drop")
    : past(change, "aborted")
