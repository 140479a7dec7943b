import { Refusal } from "../errors.ts"
import { type ScopeId, type TenantId, TIERS } from "../ids.ts"
import type { Json, JsonObject } from "../json.ts"
import type { Step, Strategy, StrategyType, Wave } from "./change.ts"
import { planForHeirs } from "./plan.ts"
import { list, oneOf, orNull, type Reader, readAll, record, text } from "./shape.ts"

export const STRATEGY_TYPES = [
  "direct",
  "canary",
  "blue_green",
  "rolling",
] as const satisfies readonly StrategyType[]

// What makes a rollout of these is told by planOf; here, only what they are made of.
const anyNumber: Reader<number> = (value, path, wrong) => {
  if (typeof value !== "number") wrong(path, "is a number")
  return value as number
}
const any = { min: 0, max: 10_000 }
const hold = { holdMs: orNull(anyNumber) }

const step = record<Pick<Step, "weightBp" | "holdMs">>({ weightBp: anyNumber, ...hold })

const waves = {
  tier: record<Wave & { tier: unknown }>({ tier: oneOf(TIERS), ...hold }, ["holdMs"]),
  tenants: record<Wave & { tenants: unknown }>(
    {
      tenants: list(
        text<TenantId>(() => true, "is the id of a tenant"),
        any,
      ),
      ...hold,
    },
    ["holdMs"],
  ),
  weightBp: record<Wave & { weightBp: unknown }>({ weightBp: anyNumber, ...hold }, ["holdMs"]),
}

const memberOf = (value: Json, name: string): Json | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Object.hasOwn(value, name)
    ? (value as JsonObject)[name]
    : undefined

const wave: Reader<Wave> = (value, path, wrong) => {
  if (memberOf(value, "tier") !== undefined) return waves.tier(value, path, wrong)
  if (memberOf(value, "tenants") !== undefined) return waves.tenants(value, path, wrong)
  return waves.weightBp(value, path, wrong)
}

const type = <Type extends StrategyType>(name: Type) => ({ type: oneOf<Type>([name]) })

const strategies: { [Type in StrategyType]: Reader<Strategy & { type: Type }> } = {
  direct: record<Strategy & { type: "direct" }>(type("direct")),
  canary: record<Strategy & { type: "canary" }>({ ...type("canary"), steps: list<Step>(step, any) }),
  blue_green: record<Strategy & { type: "blue_green" }>({ ...type("blue_green"), bakeMs: anyNumber }, [
    "bakeMs",
  ]),
  rolling: record<Strategy & { type: "rolling" }>({ ...type("rolling"), waves: list(wave, any) }),
}

/** A strategy of a policy of this scope: for itself, or for those that inherit from it. */
export const strategyOf =
  (scope: ScopeId): Reader<Strategy> =>
  (value, path, wrong) => {
    const named = STRATEGY_TYPES.find((name) => memberOf(value, "type") === name)
    const { value: strategy, errors } = readAll<Strategy>(
      named === undefined ? (record({ type: oneOf(STRATEGY_TYPES) }) as Reader<Strategy>) : strategies[named],
      value,
    )
    for (const error of errors) wrong(`${path}${error.path}`, error.message)
    if (errors.length === 0) checkPlan(strategy, scope, path, wrong)
    return strategy
  }

const checkPlan = (strategy: Strategy, scope: ScopeId, ...[path, wrong]: PlaceArguments): void => {
  try {
    planForHeirs(strategy, scope)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    if (error.errors.length === 0) wrong(path, error.message)
    for (const { path: at, message } of error.errors) wrong(at.replace(/^\/strategy/, path), message)
  }
}
type PlaceArguments = [path: string, wrong: Parameters<Reader<Strategy>>[2]]
