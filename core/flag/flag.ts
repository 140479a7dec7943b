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
import { compileRule } from "./logic.ts"

/** A definition made ready. Never throws, and on its way to a variant makes nothing that has to be cleared away. */
export type CompiledFlag = (context: Context, nowSeconds: number) => Evaluation

const NONE: JsonObject = Object.freeze({})

export const failed = (errorCode: FlagErrorCode, errorMessage: string, metadata = NONE): Evaluation =>
  Object.freeze({ reason: "ERROR", errorCode, errorMessage, metadata })

/** What a definition comes to: the variant a rule names, for a reason, or else the standard one, for another. */
type Plan = [rule: Json, reason: Reason, otherwise: Reason]

const planOfShort = ({ enabled, percentage }: SimpleFlag): Plan => {
  if (!enabled) return ["off", "DISABLED", "DEFAULT"]
  if (percentage === undefined) return ["on", "STATIC", "DEFAULT"]
  const shareBp = Math.round(percentage * 100)
  const shares: Json = [
    ["on", shareBp],
    ["off", FULL_BP - shareBp],
  ]
  return [{ fractional: shares }, "SPLIT", "DEFAULT"]
}

const planOf = ({ state, targeting, defaultVariant }: FlagDefinition): Plan => {
  const rule = state !== "DISABLED" && Object.keys(targeting ?? {}).length > 0 ? targeting! : null
  const isDefault = rule !== null || (defaultVariant ?? null) === null
  return [rule, "TARGETING_MATCH", state === "DISABLED" ? state : isDefault ? "DEFAULT" : "STATIC"]
}

/** Compiles once what is evaluated often; throws where it cannot be evaluated. `needed` is made ready already. */
export const compileFlag = (
  key: string,
  definition: FlagDefinition | SimpleFlag,
  needed: readonly (readonly [Prerequisite, CompiledFlag])[] = [],
): CompiledFlag => {
  const isShort = "enabled" in definition
  const { metadata = NONE } = definition
  const variants: JsonObject = isShort ? { on: true, off: false } : { ...definition.variants }
  const standard = isShort ? "off" : definition.defaultVariant
  const evaluators = (!isShort && definition.$evaluators) || {}
  const [rule, reason, otherwise] = isShort ? planOfShort(definition) : planOf(definition)

  const outcome = (reason: Reason, variant = standard): Evaluation =>
    variant === null || variant === undefined
      ? Object.freeze({ reason, metadata })
      : Object.hasOwn(variants, variant)
        ? Object.freeze({ reason, value: variants[variant]!, variant, metadata })
        : failed("GENERAL", `There is no variant ${variant}.`, metadata)

  const outcomes = new Map<unknown, Evaluation>(
    Object.keys(variants).map((name) => [name, outcome(reason, name)]),
  )
  const none = outcome(otherwise, otherwise === "DISABLED" ? null : standard)
  const ending = (result: unknown): Evaluation =>
    result === null || result === undefined
      ? none
      : (outcomes.get(typeof result === "boolean" ? String(result) : result) ??
        failed("GENERAL", "The rule gives no variant.", metadata))

  const unmet = outcome("PREREQUISITE_FAILED")
  const resolve = compileRule(rule, { flagKey: key, evaluators, isRoot: true }, ending)
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
