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
import type { Json, JsonObject } from "../json.ts"
import type { FlagDefinition, Prerequisite, SimpleFlag } from "./definition.ts"
import type { Definition } from "./flags.ts"
import { checkTargeting } from "./rule-check.ts"

const VARIANTS_MAX = 100
const PREREQUISITES_MAX = 10

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

const simple = record<SimpleFlag>({ enabled: boolean, percentage, prerequisites, metadata: object }, [
  "percentage",
  "prerequisites",
  "metadata",
])

const whole = record<FlagDefinition>(
  {
    state: oneOf(["ENABLED", "DISABLED"]),
    variants,
    defaultVariant: orNull(name),
    targeting: anything,
    $evaluators: object,
    metadata: object,
    prerequisites,
  },
  ["defaultVariant", "targeting", "$evaluators", "metadata", "prerequisites"],
)

/**
 * A flag's definition as somebody wrote it, in flagd's format or the short one. Throws Refusal `FLAG_INVALID`, naming
 * everything that is wrong: what passes evaluates.
 */
export const parseFlag = (key: string, value: Json): Definition => {
  const isShort = typeof value === "object" && value !== null && Object.hasOwn(value, "enabled")
  const { value: read, errors } = readAll<Definition>(isShort ? simple : whole, value)
  const all = [...errors, ...(errors.length === 0 ? wrongWithin(key, read) : [])]
  if (all.length === 0) return read
  throw new Refusal("FLAG_INVALID", `The definition of ${key} is not valid: ${said(all)}`, { errors: all })
}

const said = ([first, ...more]: readonly FieldError[]): string =>
  `${first!.path || "the definition"} ${first!.message}${more.length > 0 ? `, and ${more.length} more` : ""}.`

const wrongWithin = (key: string, definition: Definition): FieldError[] => {
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
  return errors
}
