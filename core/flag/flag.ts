import type { Json, JsonObject } from "../json.ts"
import type { Context, Evaluation, FlagDefinition, FlagErrorCode, Reason, SimpleFlag } from "./definition.ts"
import { bucketOf, subjectOf } from "./fractional.ts"
import { compileRule, FlagParseError, type Scope } from "./logic.ts"
import { refillItems, truthy } from "./operators.ts"
import { isConstant } from "./run.ts"

/** A definition made ready. Never throws, and on its way to a variant makes nothing that has to be cleared away. */
export type CompiledFlag = (context: Context, nowSeconds: number) => Evaluation

/** What comes of a rule: how it ends for whoever it is evaluated for. */
type Resolve = CompiledFlag

const FULL_BP = 10_000
const NONE: JsonObject = Object.freeze({})

const failed = (errorCode: FlagErrorCode, errorMessage: string, metadata = NONE): Evaluation =>
  Object.freeze({ reason: "ERROR", errorCode, errorMessage, metadata })

/** Of a flag that there is not. */
export const NOT_FOUND: Evaluation = failed("FLAG_NOT_FOUND", "There is no such flag.")

const isSimple = (definition: FlagDefinition | SimpleFlag): definition is SimpleFlag =>
  "enabled" in definition

/** Compiles once what is evaluated often; what cannot be compiled evaluates to `PARSE_ERROR`. */
export const compileFlag = (key: string, definition: FlagDefinition | SimpleFlag): CompiledFlag => {
  try {
    return isSimple(definition) ? simple(key, definition) : whole(key, definition)
  } catch (error) {
    const evaluation = failed("PARSE_ERROR", reasonOf(error), metadataOf(definition))
    return () => evaluation
  }
}

/** What it is when a prerequisite is not met: off, or whatever is its default. */
export const unmet = (definition: FlagDefinition | SimpleFlag): Evaluation => {
  const variants = isSimple(definition) ? SIMPLE_VARIANTS : definition.variants
  const name = isSimple(definition) ? "off" : definition.defaultVariant
  return outcome(variants, name, "PREREQUISITE_FAILED", metadataOf(definition))
}

const metadataOf = ({ metadata = NONE }: { metadata?: JsonObject }): JsonObject => metadata

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const outcome = (
  variants: FlagDefinition["variants"],
  variant: string | null | undefined,
  reason: Reason,
  metadata: JsonObject,
): Evaluation => {
  if (variant === null || variant === undefined)
    return Object.freeze({ reason: reason === "STATIC" ? "DEFAULT" : reason, metadata })
  if (!Object.hasOwn(variants, variant))
    return failed("GENERAL", `There is no variant ${JSON.stringify(variant)}.`, metadata)
  return Object.freeze({ reason, value: variants[variant]!, variant, metadata })
}

// the short form

const SIMPLE_VARIANTS = { on: true, off: false }

const simple = (key: string, { enabled, percentage, metadata = NONE }: SimpleFlag): CompiledFlag => {
  const of = (variant: "on" | "off", reason: Reason) => outcome(SIMPLE_VARIANTS, variant, reason, metadata)
  const always = of(enabled ? "on" : "off", enabled ? "STATIC" : "DISABLED")
  if (!enabled || percentage === undefined) return () => always
  const shareBp = Math.round(percentage * 100)
  const [nobody, on, off] = [of("off", "DEFAULT"), of("on", "SPLIT"), of("off", "SPLIT")]
  return (context) => {
    const by = subjectOf(key, context)
    if (by === null) return nobody
    return bucketOf(by, FULL_BP) < shareBp ? on : off
  }
}

// flagd's format

const whole = (key: string, definition: FlagDefinition): CompiledFlag => {
  const { state, variants, defaultVariant, targeting, $evaluators = {}, metadata = NONE } = definition
  if (state === "DISABLED") {
    const disabled: Evaluation = Object.freeze({ reason: "DISABLED", metadata })
    return () => disabled
  }
  const isTargeted = typeof targeting === "object" && targeting !== null && Object.keys(targeting).length > 0
  const otherwise = outcome(variants, defaultVariant, isTargeted ? "DEFAULT" : "STATIC", metadata)
  if (!isTargeted) return () => otherwise
  const outcomes = new Outcomes(definition, metadata, otherwise)
  const scope: Scope = { flagKey: key, evaluators: $evaluators, isRoot: true, depth: 0 }
  const resolve = resolving(targeting, scope, outcomes)
  return (context, nowSeconds) => {
    try {
      refillItems()
      return resolve(context, nowSeconds)
    } catch (error) {
      return failed("GENERAL", `The rule failed: ${reasonOf(error)}.`, metadata)
    }
  }
}

/** Everything a flag can come to, made beforehand. */
class Outcomes {
  readonly #byVariant = new Map<string, Evaluation>()
  readonly #otherwise: Evaluation
  readonly #metadata: JsonObject

  constructor({ variants }: FlagDefinition, metadata: JsonObject, otherwise: Evaluation) {
    for (const name of Object.keys(variants))
      this.#byVariant.set(name, outcome(variants, name, "TARGETING_MATCH", metadata))
    this.#otherwise = otherwise
    this.#metadata = metadata
  }

  of(result: unknown): Evaluation {
    if (typeof result === "string") return this.#byVariant.get(result) ?? this.#none(result)
    if (result === null || result === undefined) return this.#otherwise
    return typeof result === "boolean" ? this.of(String(result)) : this.#none(result)
  }

  #none(result: unknown): Evaluation {
    return failed("GENERAL", `The rule gives ${shown(result)}, which is no variant.`, this.#metadata)
  }
}

const shown = (result: unknown): string => {
  const text = JSON.stringify(result) ?? String(result)
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}

/** Where a rule's ends are variants, those are looked up now and not each time. */
const resolving = (rule: Json, scope: Scope, outcomes: Outcomes): Resolve => {
  const branches = branchesOf(rule)
  if (branches) return branching(branches, scope, outcomes)
  const run = compileRule(rule, scope)
  if (isConstant(run)) {
    const known = outcomes.of(run.known.value)
    return () => known
  }
  return (context, now) => outcomes.of(run(context, now))
}

const branchesOf = (rule: Json): readonly Json[] | null => {
  if (typeof rule !== "object" || rule === null || Array.isArray(rule)) return null
  const [operator, ...others] = Object.keys(rule)
  const operand = operator === "if" || operator === "?:" ? rule[operator] : null
  return others.length === 0 && Array.isArray(operand) && operand.length > 1 ? operand : null
}

const branching = (args: readonly Json[], outer: Scope, outcomes: Outcomes): Resolve => {
  if (outer.depth > 64) throw new FlagParseError("rules are nested more than 64 deep")
  const scope = { ...outer, depth: outer.depth + 1 }
  const [condition = null, then, ...rest] = args
  if (then === undefined) return resolving(condition, scope, outcomes)
  const holds = compileRule(condition, scope)
  const [ifSo, otherwise] = [
    resolving(then, scope, outcomes),
    // The rest of one operation is no deeper than its beginning.
    rest.length === 0 ? resolving(null, scope, outcomes) : branching(rest, outer, outcomes),
  ]
  return (context, now) => (truthy(holds(context, now)) ? ifSo(context, now) : otherwise(context, now))
}
