import type { Json, JsonObject } from "../json.ts"
import { FULL_BP } from "../release/bucket.ts"
import type {
  Context,
  Evaluation,
  FlagDefinition,
  FlagErrorCode,
  Prerequisite,
  Reason,
  SimpleFlag,
} from "./definition.ts"
import type { Rules } from "./rules.ts"

/** A definition made ready. Never throws, and on its way to a variant makes nothing that has to be cleared away. */
export type CompiledFlag = (context: Context, nowSeconds: number) => Evaluation

const NONE: JsonObject = Object.freeze({})

export const failed = (errorCode: FlagErrorCode, errorMessage: string, metadata = NONE): Evaluation =>
  Object.freeze({ reason: "ERROR", errorCode, errorMessage, metadata })

/** What a definition comes to: the variant its rule names, for a reason; without, or where that names none, another one. */
interface Plan {
  rule: Json
  reason: Reason
  otherwise: Reason
  /** `null`: none. */
  variant: string | null
}

const planOfShort = ({ enabled, percentage }: SimpleFlag): Plan => {
  const shareBp = Math.round(percentage! * 100)
  const shares: Json = [
    ["on", shareBp],
    ["off", FULL_BP - shareBp],
  ]
  const isSplit = enabled && percentage !== undefined
  return {
    rule: isSplit ? { fractional: shares } : null,
    reason: "SPLIT",
    otherwise: isSplit ? "DEFAULT" : enabled ? "STATIC" : "DISABLED",
    variant: enabled && !isSplit ? "on" : "off",
  }
}

const planOfWhole = ({ state, targeting, defaultVariant = null }: FlagDefinition): Plan => {
  const isDisabled = state === "DISABLED"
  const rule = !isDisabled && Object.keys(targeting ?? {}).length > 0 ? targeting! : null
  return {
    rule,
    reason: "TARGETING_MATCH",
    otherwise: isDisabled ? state : rule !== null || defaultVariant === null ? "DEFAULT" : "STATIC",
    variant: isDisabled ? null : defaultVariant,
  }
}

const planOf = (definition: FlagDefinition | SimpleFlag): Plan =>
  "enabled" in definition ? planOfShort(definition) : planOfWhole(definition)

export const hasRule = (definition: FlagDefinition | SimpleFlag): boolean => planOf(definition).rule !== null

/** Compiles once what is evaluated often; throws where it cannot be evaluated. `needed` is made ready already. */
export const compileFlag = (
  key: string,
  definition: FlagDefinition | SimpleFlag,
  { compileRule }: Pick<Rules, "compileRule">,
  needed: readonly (readonly [Prerequisite, CompiledFlag])[] = [],
): CompiledFlag => {
  const isShort = "enabled" in definition
  const { metadata = NONE } = definition
  const variants: JsonObject = isShort ? { on: true, off: false } : { ...definition.variants }
  const standard = isShort ? "off" : definition.defaultVariant
  const evaluators = (!isShort && definition.$evaluators) || {}
  const plan = planOf(definition)

  const outcome = (reason: Reason, variant = standard): Evaluation =>
    variant === null || variant === undefined
      ? Object.freeze({ reason, metadata })
      : Object.hasOwn(variants, variant)
        ? Object.freeze({ reason, value: variants[variant]!, variant, metadata })
        : failed("GENERAL", `There is no variant ${variant}.`, metadata)

  const outcomes = new Map<unknown, Evaluation>(
    Object.keys(variants).map((name) => [name, outcome(plan.reason, name)]),
  )
  const none = outcome(plan.otherwise, plan.variant)
  const ending = (result: unknown): Evaluation =>
    result === null || result === undefined
      ? none
      : (outcomes.get(typeof result === "boolean" ? String(result) : result) ??
        failed("GENERAL", "The rule gives no variant.", metadata))

  const unmet = outcome("PREREQUISITE_FAILED")
  const resolve =
    plan.rule === null
      ? () => none
      : compileRule(plan.rule, { flagKey: key, evaluators, isRoot: true }, ending)
  return (context, nowSeconds) => {
    try {
      for (let index = 0; index < needed.length; index++) {
        const [{ variants }, flag] = needed[index]!
        if (!variants.includes(flag(context, nowSeconds).variant!)) return unmet
      }
      return resolve(context, nowSeconds) as Evaluation
    } catch (error) {
      return failed("GENERAL", `The rule failed: ${(error as Error).message}.`, metadata)
    }
  }
}
