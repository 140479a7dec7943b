import type { Plan } from "../change/change.ts"
import { FULL_BP } from "../release/bucket.ts"
import type { Evidence } from "./evidence.ts"

/**
 * The step whose reports of stable the reports of `step` are compared with, where everyone reads the candidate and
 * nobody reports stable any more: the one before. `null` while there are both.
 */
export const stepBefore = (plan: Plan, step: number): number | null =>
  step > 0 && plan[step]?.weightBp === FULL_BP && plan[step]!.tiers === undefined ? step - 1 : null

/** The evidence of a step at which everyone reads the candidate: stable as it was in the step before. */
export const afterSwitch = (evidence: Evidence, before: Evidence): Evidence => ({
  since: evidence.since,
  arms: { stable: before.arms.stable, candidate: evidence.arms.candidate },
  groups: [
    ...before.groups.filter(({ arm }) => arm === "stable").map((group) => ({ ...group, paired: false })),
    ...evidence.groups.filter(({ arm }) => arm === "candidate").map((group) => ({ ...group, paired: false })),
  ],
  pairedExpected: 0,
  stableSince: before.since,
})
