import type { BackendName, Deployments } from "../deployment/deployments.ts"
import { Refusal } from "../errors.ts"
import { type Pass, startPass } from "./pass.ts"
import { digestOf, ownOf, type Plan } from "./plan.ts"

/** What was written to see whether it comes back. */
export interface Probe {
  nonce: number
  atMs: number
}

/** What the service does by itself, one step after the other. */
export type Working =
  | { state: "validating"; untilMs: number; probe: Probe | null }
  /** What is at the former backend is brought to the new one, which nobody asks yet. */
  | { state: "moving"; pass: Pass }
  | { state: "activating" }
  /** The new one is asked; what came to the former one until then follows. */
  | { state: "settling"; switchedAtMs: number; pass: Pass }

/** How far a tenant's provisioning is. */
export type Standing =
  /** The documents are being applied, by whoever may do so in the cluster. */
  | { state: "applying" }
  | Working
  | { state: "active" }
  /** Active, and something that an earlier plan made is to be taken away. */
  | { state: "retiring" }
  | { state: "failed"; was: Working; reason: FailureReason; words: string }
  | { state: "cancelled" }

export type State = Standing["state"]

/** `unhealthy`: it did not answer as it should; `altered`: the tenant is not what the plan was made for; `unequal`: not all of it came over. */
export type FailureReason = "unhealthy" | "altered" | "unequal"

/** How the plan's backends were when it was applied: where data is brought over from, and what nobody else may alter meanwhile. */
export interface Former {
  deployments: Deployments
  vouched: BackendName[]
}

/** What is kept of a tenant's provisioning. */
export interface Provisioning {
  /** The nth plan of the tenant. */
  number: number
  plan: Plan
  digest: string
  /** Whether metrics are brought over, and from when on. */
  move: { sinceMs: number } | null
  former: Former
  standing: Standing
  /** Tried in vain one after the other, and what came of the last time. */
  tries: number
  words: string | null
  /** Names of all that was ever to be made for this tenant alone and is not known to be gone. */
  made: string[]
  /** Those of it that what is active rests on. */
  inUse: string[]
  /** The backends that the active plan set. */
  leads: BackendName[]
}

export type ProvisioningEvent =
  /** Somebody says that the documents are applied. */
  | { type: "confirm" }
  | { type: "probed"; probe: Probe }
  | { type: "validated" }
  | { type: "passed"; pass: Pass }
  | { type: "moved" }
  | { type: "activated" }
  | { type: "settled" }
  /** Tried in vain; it is tried again. */
  | { type: "missed"; words: string }
  | { type: "failed"; reason: FailureReason; words: string }
  | { type: "retry" }
  /** `leaveBehind`: what is still to follow from the former backend may stay there. */
  | { type: "cancel"; leaveBehind: boolean }
  /** Somebody says that what remained of earlier plans is taken away. */
  | { type: "retired" }

/** It has to answer within so long of being applied. */
const VALIDATION_MS = 15 * 60_000

const unfit = (state: State, type: string): never => {
  throw new Refusal("PROVISIONING_STATE", `It is ${state}: "${type}" is not for that.`)
}

/** What earlier plans made and nothing needs any more. */
export const remainsOf = ({ made, inUse, plan, standing }: Provisioning): string[] => {
  const needed = new Set([...inUse, ...(standing.state === "cancelled" ? [] : ownOf(plan))])
  return made.filter((name) => !needed.has(name))
}

const isMovedBy = (standing: Standing): boolean =>
  standing.state === "settling" || (standing.state === "failed" && standing.was.state === "settling")

const validating = (nowMs: number): Working => ({
  state: "validating",
  untilMs: nowMs + VALIDATION_MS,
  probe: null,
})

/**
 * A new plan for a tenant; one that was not over before is over by it. Throws Refusal PROVISIONING_STATE while what came to
 * the former backend is still on its way: another move would leave it behind.
 */
export const applied = (
  before: Provisioning | null,
  plan: Plan,
  { move, former, nowMs }: Pick<Provisioning, "move" | "former"> & { nowMs: number },
): Provisioning => {
  if (before && isMovedBy(before.standing)) unfit(before.standing.state, "apply")
  const isNothing = plan.documents.length === 0 && plan.releases.length === 0
  return {
    number: (before?.number ?? 0) + 1,
    plan,
    digest: digestOf(plan),
    move,
    former,
    standing: isNothing ? validating(nowMs) : { state: "applying" },
    tries: 0,
    words: null,
    made: [...new Set([...(before?.made ?? []), ...ownOf(plan)])].sort(),
    inUse: before?.inUse ?? [],
    leads: before?.leads ?? [],
  }
}

/** It is what the plan says, and nothing is on its way any more. */
const inForce = (provisioning: Provisioning): Provisioning => {
  const after: Provisioning = {
    ...provisioning,
    inUse: ownOf(provisioning.plan),
    standing: { state: "active" },
  }
  return remainsOf(after).length === 0 ? after : { ...after, standing: { state: "retiring" } }
}

/** Where it goes on that failed. What was seen before may not be so any more. */
const again = (was: Working, nowMs: number): Standing => {
  switch (was.state) {
    case "validating":
    case "activating":
      return validating(nowMs)
    case "moving":
    case "settling":
      return { ...was, pass: startPass(was.pass.sinceMs, nowMs) }
  }
}

const isWorking = (standing: Standing): standing is Working =>
  ["validating", "moving", "activating", "settling"].includes(standing.state)

/** What an event makes of it. Throws Refusal PROVISIONING_STATE where it is not for that. */
export const advanced = (
  provisioning: Provisioning,
  event: ProvisioningEvent,
  nowMs: number,
): Provisioning => {
  const { standing, move } = provisioning
  const to = (next: Standing): Provisioning => ({ ...provisioning, tries: 0, words: null, standing: next })
  const only = (state: State): void => {
    if (standing.state !== state) unfit(standing.state, event.type)
  }
  switch (event.type) {
    case "confirm":
      only("applying")
      return to(validating(nowMs))
    case "probed":
      if (standing.state !== "validating") return unfit(standing.state, event.type)
      return to({ ...standing, probe: event.probe })
    case "validated":
      only("validating")
      return to(move ? { state: "moving", pass: startPass(move.sinceMs, nowMs) } : { state: "activating" })
    case "passed":
      if (standing.state !== "moving" && standing.state !== "settling")
        return unfit(standing.state, event.type)
      return to({ ...standing, pass: event.pass })
    case "moved":
      only("moving")
      return to({ state: "activating" })
    case "activated": {
      only("activating")
      const led = { ...provisioning, leads: provisioning.plan.backends, tries: 0, words: null }
      return move
        ? {
            ...led,
            standing: { state: "settling", switchedAtMs: nowMs, pass: startPass(move.sinceMs, nowMs) },
          }
        : inForce(led)
    }
    case "settled":
      only("settling")
      return inForce(to({ state: "active" }))
    case "missed":
      if (!isWorking(standing)) return unfit(standing.state, event.type)
      return { ...provisioning, tries: provisioning.tries + 1, words: event.words }
    case "failed":
      if (!isWorking(standing)) return unfit(standing.state, event.type)
      return to({ state: "failed", was: standing, reason: event.reason, words: event.words })
    case "retry":
      if (standing.state !== "failed") return unfit(standing.state, event.type)
      return to(again(standing.was, nowMs))
    case "cancel":
      if (isMovedBy(standing))
        return event.leaveBehind ? inForce(to({ state: "active" })) : unfit(standing.state, event.type)
      if (["active", "retiring", "cancelled"].includes(standing.state))
        return unfit(standing.state, event.type)
      return to({ state: "cancelled" })
    case "retired": {
      if (standing.state !== "retiring" && standing.state !== "cancelled")
        return unfit(standing.state, event.type)
      const gone = new Set(remainsOf(provisioning))
      const made = provisioning.made.filter((name) => !gone.has(name))
      return { ...to(standing.state === "retiring" ? { state: "active" } : standing), made }
    }
  }
}

/** The backends that it sets, and those that it takes away as an earlier plan had set them. */
export const touchedBy = ({ plan, leads }: Provisioning): BackendName[] => [
  ...new Set([...plan.backends, ...leads]),
]

/** Is there something that the service does by itself? */
export const isUnderWay = ({ standing }: Provisioning): boolean => isWorking(standing)
