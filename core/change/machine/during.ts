import { blocks, type Judgement, type Verdict } from "../../gate/verdict.ts"
import type { Change, ChangeState, Instant } from "../change.ts"
import { defined } from "../defined.ts"
import { after, isReached, msBetween } from "../time.ts"
import type { Facts, Transition } from "../transition.ts"
import { frozenUntil, liveNow, moved, type Of, past, refused } from "./answers.ts"

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
  if (facts.frozen !== null) return frozenUntil(facts.frozen)
  const { verdict } = facts
  if (by.kind === "clock" && verdict !== null && blocks(verdict))
    return refused("CHANGE_STATE", verdict.words)
  const overriddenBy =
    by.kind === "person" && verdict !== null && blocks(verdict) ? by.actor.subject : undefined
  const gate = judged(status, verdict, now, overriddenBy)
  if (status.step + 1 >= content.plan.length)
    return moved(
      change,
      { ...liveNow(now, facts), ...gate, ...defined({ tripped: status.tripped }) },
      "settle",
    )
  const { frozen: _, ...rest } = status
  return moved(change, { ...rest, ...gate, step: status.step + 1, enteredAt: now, heldMs: 0 }, "step")
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
  return moved(change, paused(status, now))
}

const paused = (status: RollingOut, now: Instant): RollingOut => {
  if (status.paused) return status
  const { frozen: _, ...rest } = status
  return { ...rest, paused: true, heldMs: status.heldMs + msBetween(status.enteredAt, now) }
}

export const resume = (change: Change, now: Instant): Transition => {
  const { status } = change
  if (status.state !== "rolling_out") return past(change, "resumed")
  if (!status.paused) return refused("CHANGE_STATE", "The rollout is not paused.")
  const { signal: _, ...rest } = status
  return moved(change, { ...rest, paused: false, enteredAt: now })
}

export const abort = (
  change: Change,
  { type: _, ...why }: Of<"abort">,
  now: Instant,
  { verdict }: Facts,
): Transition =>
  change.status.state === "rolling_out"
    ? moved(
        change,
        {
          ...ended(change.status, now),
          ...why,
          ...judged(change.status, verdict, now),
        },
        "drop",
      )
    : past(change, "aborted")

/** Rolled back, with what was known of it until then. */
const ended = (
  { gate, tripped, signal: raised }: RollingOut,
  at: Instant,
): Extract<ChangeState, { state: "rolled_back" }> => ({
  state: "rolled_back",
  at,
  by: "",
  reason: "unhealthy",
  ...defined({ gate, tripped, signal: raised }),
})

export const signal = (
  change: Change,
  { by, verdict, source, summary }: Of<"signal">,
  now: Instant,
): Transition => {
  const { status } = change
  if (status.state !== "rolling_out") return past(change, verdict === "hold" ? "held back" : "rolled back")
  const raised = { at: now, source, summary }
  return verdict === "hold"
    ? moved(change, { ...paused(status, now), signal: raised })
    : moved(change, { ...ended(status, now), by, signal: raised }, "drop")
}

/** So many tenants that the candidate fails are the candidate's fault, if it has reached as many. */
const TRIPPED_MAX = 3
/** One may be sick by itself. */
const TRIPPED_MIN = 2

export const trip = (
  change: Change,
  { by, tenantId, step, words, reached }: Of<"trip">,
  now: Instant,
): Transition => {
  const { content, status } = change
  if (status.state !== "rolling_out") return past(change, "failing a tenant")
  if (step !== status.step) return refused("CHANGE_STEP", `The rollout is at step ${status.step}.`)
  if (content.plan[status.step]?.tiers === undefined)
    return refused("CHANGE_STATE", "The change does not reach tenants by waves.")
  const earlier = status.tripped ?? []
  if (earlier.some((one) => one.tenantId === tenantId))
    return refused("CHANGE_STATE", "The tenant is back on stable already.")
  const tripped = [...earlier, { tenantId, at: now, words }]
  if (tripped.length >= Math.max(TRIPPED_MIN, Math.min(TRIPPED_MAX, reached)))
    return moved(change, { ...ended({ ...status, tripped }, now), by }, "drop")
  return moved(change, { ...paused(status, now), tripped }, "exclude")
}
