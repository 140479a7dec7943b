import { type FieldError, Refusal } from "../errors.ts"
import { isTenant, layerOf, parseTenantId, type ScopeId, type TenantId, TIERS, type Tier } from "../ids.ts"
import { FULL_BP } from "../release/bucket.ts"
import type { Plan, Step, Strategy, StrategyType, Wave } from "./change.ts"
import type { Policy } from "./policy.ts"

const STEPS_MAX = 20
const HOLD_MS_MAX = 24 * 3_600_000
const BAKE_MS = 120_000
const WAVE_HOLD_MS = 60_000
/** Named in one strategy: a list is for the first few; shares and tiers are for the rest. */
const NAMED_TENANTS_MAX = 1_000

/** Has the scope what the strategy divides: subjects of its own, tenants, tenants of several tiers? */
export const suits = (strategy: Strategy, scope: ScopeId): boolean =>
  isSuitable(strategy.type, scope) &&
  (strategy.type !== "rolling" ||
    layerOf(scope) !== "tier" ||
    strategy.waves.every((wave) => !("tier" in wave)))

/** The like for a type alone. */
export const isSuitable = (type: StrategyType, scope: ScopeId): boolean =>
  type === "direct" || (type === "rolling") !== isTenant(scope)

/**
 * The steps before everyone has it for good. A last step that everyone is at is a bake: taken back, it is an instant
 * switch. Throws Refusal `STRATEGY_INVALID`, naming each step that is wrong, or `STRATEGY_UNSUITABLE` where the
 * scope has not what the strategy divides.
 */
export const planOf = (strategy: Strategy, scope: ScopeId): Plan => {
  if (!isSuitable(strategy.type, scope))
    throw new Refusal(
      "STRATEGY_UNSUITABLE",
      isTenant(scope)
        ? `Waves divide tenants; ${scope} is one.`
        : `${strategy.type} divides a tenant's subjects; ${scope} has none.`,
    )
  return planFor(strategy, scope)
}

/** The like for a policy, which a scope may also have for those that inherit from it. */
export const planForHeirs = (strategy: Strategy, scope: ScopeId): Plan =>
  isTenant(scope) ? planOf(strategy, scope) : planFor(strategy, scope)

const planFor = (strategy: Strategy, scope: ScopeId): Plan => {
  switch (strategy.type) {
    case "direct":
      return []
    case "canary":
      return canaryPlan(strategy.steps)
    case "blue_green":
      return blueGreenPlan(strategy.bakeMs ?? BAKE_MS)
    case "rolling":
      return rollingPlan(strategy.waves, scope)
  }
}

/** Throws Refusal `STRATEGY_FORBIDDEN`, naming those that the policy allows. */
export const checkAllowed = (strategy: Strategy, policy: Pick<Policy, "allowedStrategies">): void => {
  const { allowedStrategies } = policy
  if (allowedStrategies.includes(strategy.type)) return
  throw new Refusal(
    "STRATEGY_FORBIDDEN",
    `The policy allows ${allowedStrategies.join(", ")}, not ${strategy.type}.`,
  )
}

const canaryPlan = (steps: readonly Step[]): Plan => {
  checkCount("steps", steps.length)
  throwAll(
    "steps",
    steps.map((step, index) => wrongWithStep(step, steps[index - 1])),
  )
  return planFrom(steps.map(({ weightBp, holdMs }) => ({ weightBp, holdMs })))
}

const blueGreenPlan = (bakeMs: number): Plan => {
  if (!isHold(bakeMs))
    throw new Refusal("STRATEGY_INVALID", "The bake is not one.", {
      errors: [{ path: "/strategy/bakeMs", message: `is a whole number from 0 to ${HOLD_MS_MAX}` }],
    })
  return planFrom([
    { weightBp: 0, holdMs: null },
    { weightBp: FULL_BP, holdMs: bakeMs },
  ])
}

const rollingPlan = (waves: readonly Wave[], scope: ScopeId): Plan => {
  checkCount("waves", waves.length)
  const reach = { weightBp: 0, tiers: [] as Tier[], tenants: [] as TenantId[] }
  const plan: Step[] = []
  const wrong = waves.map((wave) => {
    const { holdMs = WAVE_HOLD_MS } = wave
    if (holdMs !== null && !isHold(holdMs)) return HOLD
    const message = extend(reach, wave, scope)
    if (message === null)
      plan.push({
        weightBp: reach.weightBp,
        holdMs,
        tiers: [...reach.tiers],
        tenants: [...reach.tenants],
      })
    return message
  })
  const last = waves.length - 1
  if (wrong[last] === null && reach.weightBp !== FULL_BP)
    wrong[last] = `the last wave reaches everyone: {"weightBp": ${FULL_BP}}`
  throwAll("waves", wrong)
  return planFrom(plan)
}

const HOLD = `holdMs is a whole number from 0 to ${HOLD_MS_MAX}, or null to wait for a person`

const isHold = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= HOLD_MS_MAX

const checkCount = (name: "steps" | "waves", count: number): void => {
  if (count >= 1 && count <= STEPS_MAX) return
  const message = `there are 1 to ${STEPS_MAX} ${name}, not ${count}`
  throw new Refusal("STRATEGY_INVALID", `The ${name} do not make a rollout: ${message}.`, {
    errors: [{ path: `/strategy/${name}`, message }],
  })
}

const throwAll = (name: "steps" | "waves", wrong: readonly (string | null)[]): void => {
  const errors = wrong.flatMap((message, index): FieldError[] =>
    message === null ? [] : [{ path: `/strategy/${name}/${index}`, message }],
  )
  if (errors.length > 0)
    throw new Refusal("STRATEGY_INVALID", `The ${name} do not make a rollout: ${errors[0]!.message}.`, {
      errors,
    })
}

const wrongWithStep = ({ weightBp, holdMs }: Step, previous: Step | undefined): string | null => {
  if (!Number.isInteger(weightBp) || weightBp < 0 || weightBp > FULL_BP)
    return `weightBp is a whole number from 0 to ${FULL_BP}`
  if (previous !== undefined && weightBp <= previous.weightBp) return "weightBp rises from step to step"
  return holdMs === null || isHold(holdMs) ? null : HOLD
}

/** Adds the wave to those before it; what is wrong with it, instead, in words. */
const extend = (
  reach: { weightBp: number; tiers: Tier[]; tenants: TenantId[] },
  wave: Wave,
  scope: ScopeId,
): string | null => {
  if (reach.weightBp === FULL_BP) return "everyone is reached already"
  if (["tier", "tenants", "weightBp"].filter((name) => name in wave).length !== 1)
    return "a wave has one of tier, tenants and weightBp"
  if ("tier" in wave) return addTier(reach.tiers, wave.tier, scope)
  if ("tenants" in wave) return addTenants(reach.tenants, wave.tenants)
  const { weightBp } = wave
  if (!Number.isInteger(weightBp) || weightBp < 1 || weightBp > FULL_BP)
    return `weightBp is a whole number from 1 to ${FULL_BP}`
  if (weightBp <= reach.weightBp) return "weightBp rises from wave to wave"
  reach.weightBp = weightBp
  return null
}

const addTier = (tiers: Tier[], tier: Tier, scope: ScopeId): string | null => {
  if (layerOf(scope) === "tier") return "waves by tier are for the platform: here all tenants are of one"
  if (!TIERS.includes(tier)) return `tier is one of ${TIERS.join(", ")}`
  if (tiers.includes(tier)) return `${tier} is reached already`
  tiers.push(tier)
  return null
}

const addTenants = (reached: TenantId[], tenants: readonly TenantId[]): string | null => {
  if (tenants.length === 0) return "tenants names nobody"
  const seen = new Set(reached)
  for (const tenantId of tenants) {
    if (parseTenantId(tenantId) === null)
      return `"${String(tenantId).slice(0, 63)}" is not the id of a tenant`
    if (seen.size === seen.add(tenantId).size) return `${tenantId} is named twice`
  }
  if (seen.size > NAMED_TENANTS_MAX) return `at most ${NAMED_TENANTS_MAX} tenants are named`
  reached.push(...tenants)
  return null
}

/** Without a last step that everyone is at for no time. */
const planFrom = (steps: Plan): Plan => {
  const last = steps.at(-1)!
  const plan = last.weightBp === FULL_BP && last.holdMs === 0 ? steps.slice(0, -1) : steps
  if (plan.length === 0)
    throw new Refusal("STRATEGY_INVALID", "It is direct by another name: everyone at once, and no bake.")
  return plan
}
