import { blocks, type Judgement, type Verdict } from "../../gate/verdict.ts"
import type { Change, ChangeState, Instant } from "../change.ts"
import { defined } from "../defined.ts"
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
  const { verdict } = facts
  if (by.kind === "clock" && verdict !== null && blocks(verdict))
    return refused("CHANGE_STATE", verdict.words)
  const overriddenBy =
    by.kind === "person" && verdict !== null && blocks(verdict) ? by.actor.subject : undefined
  const gate = judged(status, verdict, now, overriddenBy)
  if (status.step + 1 >= content.plan.length)
    return moved(change, { ...liveNow(now, facts), ...gate }, "settle")
  return moved(change, { ...status, ...gate, step: status.step + 1, enteredAt: now, heldMs: 0 }, "step")
}

type RollingOut = Extract<ChangeState, { state: "rolling_out" }>

/** The verdicts until now with this one; one that held the same step back gives way to it. */
const judged = (
  { gate = [], step }: RollingOut,
  verdict: Verdict | null,
  at: Instant,
  overriddenBy?: string,
): { gate?: readonly Judgement[] } => {
  if (verdict === null) return gate.length === 0 ? {} : { gate }
  const judgement = { step, at, ...verdict, ...defined({ overriddenBy }) }
  return { gate: [...gate.filter((earlier) => earlier.step !== step), judgement] }
}

/** The verdict that holds the change back at the step it is at. */
export const heldBackBy = ({ status }: Change): Judgement | null =>
  status.state === "rolling_out" ? (status.gate?.find(({ step }) => step === status.step) ?? null) : null

export const hold = (change: Change, { verdict }: Of<"hold">, now: Instant): Transition =>
  change.status.state === "rolling_out"
    ? moved(change, { ...change.status, ...judged(change.status, verdict, now) })
    : past(change, "held back")

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

export const abort = (
  change: Change,
  { type: _, ...why }: Of<"abort">,
  now: Instant,
  { verdict }: Facts,
): Transition =>
  change.status.state === "rolling_out"
    ? moved(change, { state: "rolled_back", at: now, ...why, ...judged(change.status, verdict, now) }, "drop")
    : past(change, "aborted")
