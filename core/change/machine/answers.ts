import type { ProblemCode } from "../../errors.ts"
import type { Change, ChangeState, Frozen, Instant } from "../change.ts"
import { isReached } from "../time.ts"
import type { ChangeEvent, Effect, Facts, Transition } from "../transition.ts"

export type Of<Type extends ChangeEvent["type"]> = Extract<ChangeEvent, { type: Type }>

export const moved = (change: Change, status: ChangeState, ...effects: Effect[]): Transition => ({
  ok: true,
  change: { ...change, status },
  effects,
})

export const refused = (code: ProblemCode, detail: string): Transition => ({ ok: false, code, detail })

/** The sentence of every 409: where the change is, and what was wanted of it. */
export const past = ({ status }: Change, wanted: string): Transition =>
  refused("CHANGE_STATE", `The change is ${status.state.replaceAll("_", " ")}; it cannot be ${wanted}.`)

export const frozenUntil = ({ name, until }: Frozen): Transition =>
  refused("CHANGE_FROZEN", `"${name}" freezes changes until ${until}.`)

export const liveNow = (now: Instant, { pointer }: Facts): Extract<ChangeState, { state: "live" }> => ({
  state: "live",
  at: now,
  previousStable: pointer.stable,
  previousChangeId: pointer.stableChangeId,
})

export const hasExpired = ({ content }: Change, now: Instant): boolean => isReached(content.expiresAt, now)

export const isWaiting = ({ status }: Change): boolean =>
  status.state === "awaiting_approval" || status.state === "scheduled"
