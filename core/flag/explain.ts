import type { Json } from "../json.ts"
import type { Context, Evaluation, FlagDefinition, SimpleFlag } from "./definition.ts"
import { type Definition, type Definitions, Flags } from "./flags.ts"
import { bucketOf, type Share, shareOf, subjectOf, WEIGHT_MAX } from "./fractional.ts"
import { compileRule } from "./logic.ts"
import { operationOf, pointer } from "./operation.ts"
import { truthy } from "./operators.ts"
import { refillWork } from "./run.ts"

/** Where somebody stands among the shares: at `bucket` of `of`; the share whose `from` is not above it and whose `to` is. */
export interface Bucket {
  /** A JSON pointer into the definition. */
  path: string
  /** What was hashed; `null`: there is nobody to bucket, or the shares are none. */
  by: string | null
  bucket: number | null
  of: number
  shares: readonly { variant: Json; from: number; to: number }[]
}

/** What was looked at, one after the other; each path is a JSON pointer into the definition. */
export type Step =
  | {
      kind: "prerequisite"
      path: string
      flag: string
      variants: readonly string[]
      /** The one it has; `null`: none. */
      variant: string | null
      isMet: boolean
      /** Why it has that one, where that is not one of those. */
      because?: readonly Step[]
    }
  | { kind: "condition"; path: string; value: Json; holds: boolean }
  | ({ kind: "split" } & Bucket)
  /** The last one. `null`: no variant at all, so that the caller's own default stands. */
  | { kind: "outcome"; path: string; variant: string | null }
  | { kind: "failed"; path: string; message: string }

/** Why a flag has its value for somebody. */
export interface Explanation {
  evaluation: Evaluation
  /** What decided: a JSON pointer into the definition; `null` where there is none, or none that can be read. */
  rule: string | null
  /** Where a share decided. */
  bucket: Bucket | null
  steps: readonly Step[]
}

interface Asked {
  flags: Flags
  definitions: Definitions
  context: Context
  nowSeconds: number
}

/** Says the same as {@link Flags.evaluate}, and how it came to that. Slow: for people. Never throws. */
export const explainFlag = (
  definitions: Definitions,
  key: string,
  context: Context,
  nowSeconds: number,
): Explanation => explained({ flags: new Flags(definitions), definitions, context, nowSeconds }, key)

const explained = (asked: Asked, key: string): Explanation => {
  const { flags, definitions, context, nowSeconds } = asked
  const evaluation = flags.evaluate(key, context, nowSeconds)
  const definition = definitions.get(key)
  if (!definition || evaluation.errorCode === "PARSE_ERROR")
    return { evaluation, rule: null, bucket: null, steps: [] }
  const steps: Step[] = []
  if (areMet(asked, definition, steps)) {
    refillWork()
    if ("enabled" in definition) new Walk(asked, key, steps).simple(definition)
    else new Walk(asked, key, steps).whole(definition)
  }
  const split = steps.find((step) => step.kind === "split")
  return {
    evaluation,
    rule: steps.at(-1)?.path ?? null,
    bucket: split ? bucketIn(split) : null,
    steps,
  }
}

const bucketIn = ({ path, by, bucket, of, shares }: Bucket): Bucket => ({ path, by, bucket, of, shares })

/** Notes each prerequisite until one is not met. */
const areMet = (asked: Asked, definition: Definition, steps: Step[]): boolean => {
  for (const [index, { flag, variants }] of (definition.prerequisites ?? []).entries()) {
    const { variant = null } = asked.flags.evaluate(flag, asked.context, asked.nowSeconds)
    const isMet = variant !== null && variants.includes(variant)
    const step = { kind: "prerequisite", path: `/prerequisites/${index}`, flag, variants, variant } as const
    steps.push(isMet ? { ...step, isMet } : { ...step, isMet, because: explained(asked, flag).steps })
    if (!isMet) return false
  }
  return true
}

/** Goes through one definition as the evaluator does, and writes down what it meets. */
class Walk {
  readonly #asked: Asked
  readonly #key: string
  readonly #steps: Step[]

  constructor(asked: Asked, key: string, steps: Step[]) {
    this.#asked = asked
    this.#key = key
    this.#steps = steps
  }

  simple({ enabled, percentage }: SimpleFlag): void {
    if (!enabled || percentage === undefined) {
      this.#outcome("/enabled", enabled ? "on" : "off")
      return
    }
    const to = Math.round(percentage * 100)
    const shares: Share[] = [
      { variant: "on", weight: to },
      { variant: "off", weight: 10_000 - to },
    ]
    const by = subjectOf(this.#key, this.#asked.context)
    this.#outcome("/percentage", this.#split("/percentage", by, shares) === "on" ? "on" : "off")
  }

  whole({ state, variants, defaultVariant = null, targeting, $evaluators = {} }: FlagDefinition): void {
    const isTargeted =
      typeof targeting === "object" && targeting !== null && Object.keys(targeting).length > 0
    if (state === "DISABLED") {
      this.#outcome("/state", null)
      return
    }
    if (!isTargeted) {
      this.#outcome("/defaultVariant", defaultVariant)
      return
    }
    try {
      const { value, path } = this.#result(targeting, "/targeting", $evaluators)
      const name = nameOf(value)
      if (value === null || value === undefined) this.#outcome("/defaultVariant", defaultVariant)
      else if (name !== null && Object.hasOwn(variants, name)) this.#outcome(path, name)
      else this.#steps.push({ kind: "failed", path, message: "It gives no variant." })
    } catch (error) {
      this.#steps.push({ kind: "failed", path: "/targeting", message: String(error) })
    }
  }

  #outcome(path: string, variant: string | null): void {
    this.#steps.push({ kind: "outcome", path, variant })
  }

  /** What a rule comes to, and where in it that stands. */
  #result(
    rule: Json,
    path: string,
    evaluators: Readonly<Record<string, Json>>,
  ): { value: unknown; path: string } {
    const operation = operationOf(rule)
    if (operation === null) return { value: this.#value(rule, evaluators), path }
    const { operator, operands } = operation
    const here = `${path}/${pointer(operator)}`
    if ((operator === "if" || operator === "?:") && operands.length > 1)
      return this.#branch(operands, here, evaluators)
    if (operator === "$ref" && typeof operands[0] === "string" && Object.hasOwn(evaluators, operands[0]))
      return this.#result(evaluators[operands[0]]!, `/$evaluators/${pointer(operands[0])}`, {})
    if (operator !== "fractional") return { value: this.#value(rule, evaluators), path: here }
    const values = operands.map((operand) => this.#value(operand, evaluators))
    const [first, ...rest] = values
    const isText = typeof first === "string"
    const by = isText ? first : subjectOf(this.#key, this.#asked.context)
    return { value: this.#split(here, by, (isText ? rest : values).map(shareOf)), path: here }
  }

  #branch(
    operands: readonly Json[],
    path: string,
    evaluators: Readonly<Record<string, Json>>,
  ): { value: unknown; path: string } {
    for (let index = 0; index < operands.length; index += 2) {
      const at = `${path}/${index}`
      if (index === operands.length - 1) return this.#result(operands[index]!, at, evaluators)
      const value = this.#value(operands[index]!, evaluators)
      const holds = truthy(value)
      this.#steps.push({ kind: "condition", path: at, value: shown(value), holds })
      if (holds) return this.#result(operands[index + 1]!, `${path}/${index + 1}`, evaluators)
    }
    return { value: null, path }
  }

  #split(path: string, by: string | null, entries: readonly (Share | null)[]): Share["variant"] {
    const shares: Bucket["shares"][number][] = []
    let of = 0
    for (const entry of entries) {
      if (entry === null) return this.#noSplit(path)
      shares.push({ variant: entry.variant, from: of, to: of + entry.weight })
      of += entry.weight
    }
    if (of > WEIGHT_MAX) return this.#noSplit(path)
    const bucket = by === null ? null : bucketOf(by, of)
    this.#steps.push({ kind: "split", path, by, bucket, of, shares })
    const share = shares.find(({ to }) => bucket !== null && bucket < to)
    return (share?.variant ?? null) as Share["variant"]
  }

  #noSplit(path: string): null {
    this.#steps.push({ kind: "split", path, by: null, bucket: null, of: 0, shares: [] })
    return null
  }

  #value(rule: Json, evaluators: Readonly<Record<string, Json>>): unknown {
    const { context, nowSeconds } = this.#asked
    return compileRule(rule, { flagKey: this.#key, evaluators, isRoot: true })(context, nowSeconds)
  }
}

const nameOf = (value: unknown): string | null =>
  typeof value === "string" || typeof value === "boolean" ? String(value) : null

const SHOWN_CHARACTERS_MAX = 200
const SHOWN_PARTS_MAX = 1_000

/** What a condition came to, if that is short: it may be the whole context. */
const shown = (value: unknown): Json => {
  try {
    let left = SHOWN_PARTS_MAX
    // The same list may be in a list twice, and that one again: written down, there would be no end of it.
    const counted = (_: string, part: unknown): unknown => {
      if (left-- === 0) throw new RangeError("too much to show")
      return part
    }
    const text = JSON.stringify(value, counted) ?? "null"
    return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : JSON.parse(text)
  } catch {
    return "…"
  }
}
