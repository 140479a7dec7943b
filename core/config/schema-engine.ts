import { _, type AnySchema, type KeywordCxt } from "ajv"
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js"
import addFormats, { type FormatName } from "ajv-formats"
import { RE2JS } from "re2js"
import { canonical, type Json } from "../json.ts"

/**
 * Ajv, made safe for schemas and values that strangers wrote. Regular expressions run in linear time
 * (re2js), `uniqueItems` and `enum` hash instead of comparing all with all, and every keyword that is
 * evaluated costs work from a budget: references can make a small schema ask for 2^30 evaluations.
 */
export class WorkExceeded extends Error {}

/** Roughly keywords evaluated; the most that one schema or value can cost is a fraction of a second. */
const WORK_MAX = 3_000_000
/** Characters read, or steps of a regular expression, that cost about as much as one keyword. */
const STEPS_PER_WORK = 32
/** Compiling a regular expression costs this much for each instruction it becomes. */
const WORK_PER_INSTRUCTION = 20
/** Formats are checked by backtracking expressions, some of them in quadratic time. */
const FORMAT_LENGTH_MAX = 2_048

const FORMATS: FormatName[] = [
  "date",
  "date-time",
  "duration",
  "email",
  "hostname",
  "ipv4",
  "ipv6",
  "json-pointer",
  "regex",
  "relative-json-pointer",
  "time",
  "uri",
  "uri-reference",
  "uri-template",
  "uuid",
]

let workLeft = 0

const spend = (work: number): void => {
  workLeft -= work
  if (workLeft < 0) throw new WorkExceeded()
}

/** Runs something that spends, on a fresh budget. Throws {@link WorkExceeded}. */
export const withinBudget = <T>(run: () => T, work = WORK_MAX): T => {
  workLeft = work
  return run()
}

const linearRegExp = Object.assign(
  (pattern: string) => {
    const expression = RE2JS.compile(RE2JS.translateRegExp(pattern))
    const instructions = expression.programSize()
    spend(instructions * WORK_PER_INSTRUCTION)
    return {
      test: (text: string): boolean => {
        spend(1 + Math.ceil((instructions * text.length) / STEPS_PER_WORK))
        return expression.test(text)
      },
      // Ajv tells one compiled expression from another by this.
      toString: () => `/${pattern}/`,
    }
  },
  { code: "linearRegExp" },
)

/**
 * Compiles a schema that has been checked against its meta-schema. Each gets an Ajv of its own, so that
 * no `$id` of one tenant's schema can be referred to, or be taken, from another's; and with nothing
 * loaded but itself, a remote `$ref` resolves to nothing and is refused. `allErrors`: or only the first.
 */
export const compileWithAjv = (schema: AnySchema, allErrors: boolean): ValidateFunction => {
  const ajv = new Ajv2020({
    strict: false,
    logger: false,
    meta: false,
    validateSchema: false,
    // Copies of what is referred to, at every reference, make code that outgrows its schema without bound.
    inlineRefs: false,
    allErrors,
    // A member must not be found on Object.prototype.
    ownProperties: true,
    code: { regExp: linearRegExp },
  })
  addFormats.default(ajv, FORMATS)
  boundFormats(ajv)
  hashComparisons(ajv)
  chargeKeywords(ajv)
  return ajv.compile(schema)
}

const boundFormats = (ajv: Ajv2020): void => {
  for (const [name, format] of Object.entries(ajv.formats)) {
    const check = typeof format === "object" && "validate" in format ? format.validate : format
    if (check instanceof RegExp)
      ajv.addFormat(name, (text) => text.length <= FORMAT_LENGTH_MAX && check.test(text))
    else if (typeof check === "function")
      ajv.addFormat(
        name,
        (text) => text.length <= FORMAT_LENGTH_MAX && (check as (text: string) => boolean)(text),
      )
  }
}

/** Keywords that Ajv would check by comparing with everything. */
const hashComparisons = (ajv: Ajv2020): void => {
  ajv.removeKeyword("uniqueItems")
  ajv.addKeyword({
    keyword: "uniqueItems",
    type: "array",
    schemaType: "boolean",
    error: { message: "must NOT have duplicate items" },
    validate: (unique: boolean, items: Json[]) =>
      !unique || new Set(items.map(comparable)).size === items.length,
  })
  ajv.removeKeyword("enum")
  ajv.addKeyword({
    keyword: "enum",
    schemaType: "array",
    error: {
      message: "must be equal to one of the allowed values",
      params: ({ schemaCode }) => _`{ allowedValues: ${schemaCode} }`,
    },
    compile: (allowed: Json[]) => {
      const values = new Set(allowed.map(comparable))
      const hasNested = allowed.some(isNested)
      return (value: Json) => (hasNested || !isNested(value)) && values.has(comparable(value))
    },
  })
}

const isNested = (value: Json): boolean => typeof value === "object" && value !== null

/** Equal for equal values only: numbers and words print unlike strings, which are quoted. */
const comparable = (value: Json): string => {
  const text = canonical(value)
  spend(1 + Math.ceil(text.length / STEPS_PER_WORK))
  return text
}

/** Keywords whose own work grows with the value, whatever their subschemas cost. */
const WALKING = new Set([
  "additionalProperties",
  "contains",
  "maxLength",
  "maxProperties",
  "minLength",
  "minProperties",
  "patternProperties",
  "propertyNames",
  "unevaluatedItems",
  "unevaluatedProperties",
])

/** Puts a charge before the code of every keyword: how much the keyword lists, and the value where it is walked. */
const chargeKeywords = (ajv: Ajv2020): void => {
  for (const rule of new Set(Object.values(ajv.RULES.all))) {
    if (typeof rule !== "object" || !("code" in rule.definition)) continue
    const { definition } = rule
    const { code } = definition
    rule.definition = {
      ...definition,
      code: (context: KeywordCxt, ruleType?: string) => {
        const { gen, keyword, schema, data } = context
        const work = isNested(schema) ? 1 + Object.keys(schema).length : 1
        const charge = gen.scopeValue("func", { ref: spend, code: _`spend` })
        const walk = gen.scopeValue("func", { ref: walkWork, code: _`walkWork` })
        gen.code(WALKING.has(keyword) ? _`${charge}(${work} + ${walk}(${data}))` : _`${charge}(${work})`)
        code(context, ruleType)
      },
    }
  }
}

const walkWork = (value: Json): number => {
  if (typeof value === "string") return Math.ceil(value.length / STEPS_PER_WORK)
  if (typeof value !== "object" || value === null) return 0
  return Array.isArray(value) ? value.length : Object.keys(value).length
}
