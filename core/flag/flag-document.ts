import {
  boolean,
  list,
  number,
  oneOf,
  orNull,
  type Reader,
  readAll,
  record,
  set,
  text,
} from "../change/shape.ts"
import { type FieldError, Refusal } from "../errors.ts"
import { canonical, type Json, type JsonObject } from "../json.ts"
import type { FlagDefinition, Prerequisite, SimpleFlag } from "./definition.ts"
import { Flags } from "./flags.ts"
import { checkTargeting } from "./rule-check.ts"
import { PARTS_MAX, partsOf } from "./rule-size.ts"

export const VARIANTS_MAX = 100
export const PREREQUISITES_MAX = 10
/** A short definition may be wrong in many places that lie deep: what is said of it stays short. */
const ERRORS_MAX = 20
const PATH_CHARACTERS_MAX = 500

const anything: Reader<Json> = (value) => value

const object: Reader<JsonObject> = (value, path, wrong) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) wrong(path, "is an object")
  return value as JsonObject
}

const name = text<string>(
  (each) => each.length >= 1 && each.length <= 256,
  "is a text of 1 to 256 characters",
)

const typeOf = (value: Json): string =>
  value === null ? "null" : Array.isArray(value) ? "object" : typeof value

const variants: Reader<JsonObject> = (value, path, wrong) => {
  const read = object(value, path, wrong)
  const values = typeof read === "object" && read !== null ? Object.values(read) : []
  if (values.length === 0 || values.length > VARIANTS_MAX) wrong(path, `has 1 to ${VARIANTS_MAX} members`)
  if (new Set(values.map(typeOf)).size > 1) wrong(path, "has values of one type")
  return read
}

/** A share of entities in percent, to two decimals. */
const percentage: Reader<number> = (value, path, wrong) => {
  const read = number(0, 100, "any")(value, path, wrong)
  const bp = read * 100
  if (typeof value === "number" && Math.abs(bp - Math.round(bp)) > 1e-6)
    wrong(path, "has at most two decimals")
  return read
}

const prerequisites = list<Prerequisite>(
  record<Prerequisite>({ flag: name, variants: set(name, { min: 1, max: VARIANTS_MAX }) }),
  { min: 0, max: PREREQUISITES_MAX },
)

/** The short form as it is kept: with what makes any value a flag. */
type KeptFlag = SimpleFlag & Pick<FlagDefinition, "state" | "variants">

export type KeptDefinition = FlagDefinition | KeptFlag

const ON_OFF = { on: true, off: false }

const onOff: Reader<JsonObject> = (value, path, wrong) => {
  if (canonical(value) !== canonical(ON_OFF)) wrong(path, `is ${JSON.stringify(ON_OFF)}, or left out`)
  return ON_OFF
}

const states = oneOf(["ENABLED", "DISABLED"] as const)

const simple = record<SimpleFlag & Partial<KeptFlag>>(
  { enabled: boolean, percentage, prerequisites, metadata: object, state: states, variants: onOff },
  ["percentage", "prerequisites", "metadata", "state", "variants"],
)

/** Throws nothing: what says two things is noted. */
const kept: Reader<KeptFlag> = (value, path, wrong) => {
  const { state, ...read } = simple(value, path, wrong)
  const follows = read.enabled ? "ENABLED" : "DISABLED"
  if (state !== undefined && state !== follows)
    wrong(`${path}/state`, `is ${follows} where enabled is ${read.enabled}, or left out`)
  return { ...read, state: follows, variants: ON_OFF }
}

const whole = record<FlagDefinition>(
  {
    state: states,
    variants,
    defaultVariant: orNull(name),
    targeting: anything,
    $evaluators: object,
    metadata: object,
    prerequisites,
  },
  ["defaultVariant", "targeting", "$evaluators", "metadata", "prerequisites"],
)

/** Was it written in the short form, or kept of it? */
export const isShort = (value: Json): boolean =>
  typeof value === "object" && value !== null && Object.hasOwn(value, "enabled")

/**
 * A flag's definition as it is kept, from what somebody wrote, in flagd's format or the short one; what is kept
 * stays as it is. Throws Refusal `FLAG_INVALID`, naming everything that is wrong: what passes evaluates.
 */
export const parseFlag = (key: string, value: Json): KeptDefinition => {
  const { value: read, errors } = readAll<KeptDefinition>(isShort(value) ? kept : whole, value)
  const all = [...errors, ...(errors.length === 0 ? wrongWithin(key, read) : [])]
  if (all.length === 0) return read
  throw new Refusal("FLAG_INVALID", `The definition of ${key} is not valid: ${said(all)}`, {
    errors: all.slice(0, ERRORS_MAX).map(({ path, message }) => ({ path: clipped(path), message })),
  })
}

const clipped = (path: string): string =>
  path.length > PATH_CHARACTERS_MAX ? `${path.slice(0, PATH_CHARACTERS_MAX)}…` : path

const said = ([first, ...more]: readonly FieldError[]): string =>
  `${clipped(first!.path) || "the definition"} ${first!.message}${more.length > 0 ? `, and ${more.length} more` : ""}.`

const wrongWithin = (key: string, definition: KeptDefinition): FieldError[] => {
  const errors: FieldError[] = []
  const wrong = (path: string, message: string) => void errors.push({ path, message })
  for (const [index, { flag }] of (definition.prerequisites ?? []).entries())
    if (flag === key) wrong(`/prerequisites/${index}/flag`, "is another flag")
  if ("enabled" in definition) return errors
  const { variants, defaultVariant, targeting = null, $evaluators: evaluators = {} } = definition
  if (typeof defaultVariant === "string" && !Object.hasOwn(variants, defaultVariant))
    wrong("/defaultVariant", "is one of the variants, or null")
  const isEmpty = typeof targeting === "object" && targeting !== null && Object.keys(targeting).length === 0
  if (!isEmpty) checkTargeting(targeting, { variants, evaluators, wrong })
  if (errors.length === 0) tryIt(key, definition, wrong)
  return errors
}

/** A shared rule that is named often makes a rule many times its length. */
const tryIt = (
  key: string,
  definition: FlagDefinition,
  wrong: (path: string, message: string) => void,
): void => {
  const parts = partsOf(definition)
  if (parts > PARTS_MAX) {
    wrong("/targeting", `has ${parts} parts with the shared rules that it names, and may have ${PARTS_MAX}`)
    return
  }
  const alone: FlagDefinition = { ...definition, state: "ENABLED", prerequisites: [] }
  const { errorCode, errorMessage } = new Flags(new Map([[key, alone]])).evaluate(key, {}, 0)
  if (errorCode === "PARSE_ERROR") wrong("/targeting", `does not evaluate: ${errorMessage}`)
}
