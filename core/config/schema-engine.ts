import { _, type AnySchema, type ErrorObject, type KeywordCxt } from "ajv"
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
/** Thrown again and again: to find out where it is thrown takes V8 longer than all that came before. */
const EXCEEDED = new WorkExceeded()

/** Roughly keywords evaluated, at most 100 ns each: whatever a schema asks, nobody else waits for longer than 100 ms. */
const WORK_MAX = 1_000_000
/** Steps of a regular expression that cost about as much as one keyword. */
const STEPS_PER_WORK = 32
/** The same in characters that are counted, and in characters that are written out and hashed, or held against a format. */
const CHARACTERS_PER_WORK = 8
const CHARACTERS_PER_HARD_WORK = 3
/** Members are listed to be counted, here and by the keyword itself. */
const WORK_PER_MEMBER = 3
/** Where several subschemas may fail without the whole failing, each keeps what it has to say until it is known. */
const WORK_PER_BRANCH = 5
/** Compiling a regular expression costs this much for each instruction it becomes. */
const WORK_PER_INSTRUCTION = 20
/** Patterns, `enum`s and `uniqueItems` take time that grows with the square of how many there are: some 500 at most. */
const WORK_PER_FUNCTION = 1_800
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
  if (workLeft < 0) throw EXCEEDED
}

/** Runs something that spends, on a fresh budget. Throws {@link WorkExceeded}. */
export const withinBudget = <T>(run: () => T): T => {
  workLeft = WORK_MAX
  return run()
}

const linearRegExp = Object.assign(
  (pattern: string) => {
    const expression = RE2JS.compile(RE2JS.translateRegExp(pattern))
    const instructions = expression.programSize()
    spend(WORK_PER_FUNCTION + instructions * WORK_PER_INSTRUCTION)
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
 * loaded but itself, a remote `$ref` resolves to nothing and is refused. Some of its `errors` may be `null`.
 */
export const compileWithAjv = (schema: AnySchema): ValidateFunction => {
  const ajv = new Ajv2020({
    strict: false,
    logger: false,
    meta: false,
    validateSchema: false,
    // Copies of what is referred to, at every reference, make code that outgrows its schema without bound.
    inlineRefs: false,
    // Finding only the first nests the code for each keyword in that for the one before, deeper than V8 can read.
    allErrors: true,
    // A member must not be found on Object.prototype.
    ownProperties: true,
    // Optimising what is generated takes time that grows with the square of the schema, and saves none of it.
    code: { regExp: linearRegExp, optimize: false },
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
    const holds =
      check instanceof RegExp ? (text: string) => check.test(text) : (check as (text: string) => boolean)
    ajv.addFormat(name, (text) => {
      if (text.length > FORMAT_LENGTH_MAX) return false
      spend(Math.ceil(text.length / CHARACTERS_PER_HARD_WORK))
      return holds(text)
    })
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
    compile: (unique: boolean) => {
      spend(WORK_PER_FUNCTION)
      return (items: Json[]) => !unique || new Set(items.map(comparable)).size === items.length
    },
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
      spend(WORK_PER_FUNCTION)
      const values = new Set(allowed.map(comparable))
      const hasNested = allowed.some(isNested)
      return (value: Json) => (hasNested || !isNested(value)) && values.has(comparable(value))
    },
  })
}

const isNested = (value: Json): boolean => typeof value === "object" && value !== null

/** Equal for equal values only: of all that is written out, nothing but a string begins with a quotation mark. */
const comparable = (value: Json): string => {
  const text = typeof value === "string" ? `"${value}` : canonical(value)
  spend(1 + Math.ceil(text.length / (isNested(value) ? CHARACTERS_PER_HARD_WORK : CHARACTERS_PER_WORK)))
  return text
}

/** Keywords whose own work grows with the value, whatever their subschemas cost. */
const WALKING = new Set([
  "additionalProperties",
  "contains",
  "items",
  "maxLength",
  "maxProperties",
  "minLength",
  "minProperties",
  "patternProperties",
  "propertyNames",
  "unevaluatedItems",
  "unevaluatedProperties",
])

/** More than these do not help whoever reads them. */
export const ERRORS_MAX = 50
/** A reference copies the list of errors that there are so far. */
const COPIED_PER_WORK = 64
type Errors = (ErrorObject | null)[]
/** How much of a list of errors has been emptied. */
const emptied = new WeakMap<Errors, number>()

/**
 * A value of a hundred thousand items has as many errors, hundreds of bytes each. Those that nobody will read are taken
 * out as they come; the length of the list stays, as Ajv tells by it what is valid.
 */
const emptyOf = (errors: Errors): void => {
  errors.fill(null, Math.min(emptied.get(errors) ?? ERRORS_MAX, errors.length))
  emptied.set(errors, errors.length)
}

const charge = (work: number, errors: Errors | null, copies: boolean): void => {
  if (errors === null || errors.length <= ERRORS_MAX) {
    spend(work)
    return
  }
  spend(work + (copies ? Math.ceil(errors.length / COPIED_PER_WORK) : 0))
  emptyOf(errors)
}

const REFERENCES = new Set(["$ref", "$dynamicRef"])

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
        const charging = gen.scopeValue("func", { ref: charge, code: _`charge` })
        const walk = gen.scopeValue("func", { ref: walkWork, code: _`walkWork` })
        const parts = partsOf(schema)
        // Its code names for each branch all that came before it.
        if (keyword === "oneOf") spend(parts * parts)
        const work =
          keyword === "const" ? nodesOf(schema) : 1 + parts * (BRANCHING.has(keyword) ? WORK_PER_BRANCH : 1)
        const times = keyword === "contains" ? WORK_PER_BRANCH : 1
        const whole = WALKING.has(keyword) ? _`${work} + ${times} * ${walk}(${data})` : _`${work}`
        gen.code(_`${charging}(${whole}, vErrors, ${REFERENCES.has(keyword)})`)
        code(context, ruleType)
      },
    }
  }
}

const BRANCHING = new Set(["anyOf", "oneOf"])

const partsOf = (schema: Json): number => (isNested(schema) ? Object.keys(schema as object).length : 0)

const nodesOf = (value: Json): number =>
  isNested(value) ? Object.values(value as object).reduce<number>((sum, part) => sum + nodesOf(part), 1) : 1

const walkWork = (value: Json): number => {
  if (typeof value === "string") return Math.ceil(value.length / CHARACTERS_PER_WORK)
  if (typeof value !== "object" || value === null) return 0
  return Array.isArray(value) ? value.length : WORK_PER_MEMBER * Object.keys(value).length
}
