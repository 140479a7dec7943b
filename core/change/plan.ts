import { Refusal } from "../errors.ts"
import { isTenant, type ScopeId } from "../ids.ts"
import { FULL_BP } from "../release/bucket.ts"
import type { Plan, Step, Strategy } from "./change.ts"

const STEPS_MAX = 20
const HOLD_MS_MAX = 24 * 3_600_000

/**
 * The steps before everyone has it. Throws Refusal `STRATEGY_INVALID`, naming the step that is wrong, or
 * `STRATEGY_UNSUITABLE` where the scope has no subjects of its own to divide.
 */
export const planOf = (strategy: Strategy, scope: ScopeId): Plan => {
  if (strategy.type === "direct") return []
  if (!isTenant(scope))
    throw new Refusal("STRATEGY_UNSUITABLE", `A canary divides a tenant's subjects; ${scope} has none.`)
  const { steps } = strategy
  if (steps.length === 0 || steps.length > STEPS_MAX)
    throw new Refusal("STRATEGY_INVALID", `A canary has 1 to ${STEPS_MAX} steps, not ${steps.length}.`)
  const errors = steps.flatMap((step, index) => {
    const message = wrongWith(step, steps[index - 1])
    return message === null ? [] : [{ path: `/strategy/steps/${index}`, message }]
  })
  if (errors.length > 0) throw new Refusal("STRATEGY_INVALID", "The steps do not make a rollout.", { errors })
  return steps.map(({ weightBp, holdMs }) => ({ weightBp, holdMs }))
}

const wrongWith = ({ weightBp, holdMs }: Step, previous: Step | undefined): string | null => {
  if (!Number.isInteger(weightBp) || weightBp < 0 || weightBp >= FULL_BP)
    return `weightBp is a whole number from 0 to ${FULL_BP - 1}`
  if (previous !== undefined && weightBp <= previous.weightBp) return "weightBp rises from step to step"
  if (holdMs !== null && (!Number.isInteger(holdMs) || holdMs < 0 || holdMs > HOLD_MS_MAX))
    return `holdMs is a whole number from 0 to ${HOLD_MS_MAX}, or null to wait for a person`
  return null
}
