import type { AnySchema, ErrorObject, ValidateFunction } from "ajv"
import { Ajv2020 } from "ajv/dist/2020.js"
import { type FieldError, Refusal } from "../errors.ts"
import { sha256Hex } from "../hash.ts"
import { byteLength, canonical, type Json } from "../json.ts"
import { SCHEMA_BYTES_MAX, SCHEMA_DEPTH_MAX, SCHEMA_NODES_MAX } from "./limits.ts"
import { compileWithAjv, ERRORS_MAX, WorkExceeded, withinBudget } from "./schema-engine.ts"

// Kept apart from the rest of core: Ajv is too large for the bundles of the edge and the hot read.

/** Says what is wrong with a value; nothing is an empty list. */
export type Validator = (value: Json) => FieldError[]

const DIALECT = "https://json-schema.org/draft/2020-12/schema"
/** Compiled schemas are kept until their texts come to this many bytes together, least used first out. */
const CACHE_BYTES_MAX = 4 * 1_024 * 1_024
/** What a compiled schema costs besides the length of its text. */
const CACHE_ENTRY_BYTES = 2_048

const cache = new Map<string, { validator: Validator; bytes: number }>()
let cachedBytes = 0

/** Throws Refusal `SCHEMA_INVALID`, saying why. */
export const checkSchema = (schema: Json): void => {
  compileSchema(schema)
}

/**
 * What is wrong with `value` under `schema`: JSON pointers into the value, and messages. At most 50.
 * Throws Refusal `SCHEMA_INVALID`.
 */
export const validateValue = (schema: Json, value: Json): FieldError[] => compileSchema(schema)(value)

/**
 * A JSON Schema 2020-12 as a function, kept for the next time. References reach only into the schema
 * itself, patterns are RE2's (no look-around, no back-references), `format` is asserted.
 * Throws Refusal `SCHEMA_INVALID`.
 */
export const compileSchema = (schema: Json): Validator => {
  checkDepth(schema, 1)
  const text = canonical(schema)
  const hash = sha256Hex(text)
  const known = cache.get(hash)
  if (known) {
    cache.delete(hash)
    cache.set(hash, known)
    return known.validator
  }
  const validator = compileAnew(schema, byteLength(text))
  remember(hash, validator, byteLength(text) + CACHE_ENTRY_BYTES)
  return validator
}

const remember = (hash: string, validator: Validator, bytes: number): void => {
  cache.set(hash, { validator, bytes })
  cachedBytes += bytes
  for (const [oldest, { bytes: freed }] of cache) {
    if (cachedBytes <= CACHE_BYTES_MAX) return
    cache.delete(oldest)
    cachedBytes -= freed
  }
}

const compileAnew = (schema: Json, bytes: number): Validator => {
  if (bytes > SCHEMA_BYTES_MAX)
    throw invalid(`It is ${bytes} bytes long; at most ${SCHEMA_BYTES_MAX} are kept.`)
  if (countNodes(schema) > SCHEMA_NODES_MAX) throw invalid(`It has more than ${SCHEMA_NODES_MAX} parts.`)
  checkNames(schema)
  checkAgainstDialect(schema)
  const validate = compileChecked(schema as AnySchema)
  return (value) => errorsOf(validate, value)
}

const invalid = (detail: string): Refusal => new Refusal("SCHEMA_INVALID", detail)

const checkDepth = (schema: Json, depth: number): void => {
  if (typeof schema !== "object" || schema === null) return
  if (depth > SCHEMA_DEPTH_MAX) throw invalid(`It is nested more than ${SCHEMA_DEPTH_MAX} levels deep.`)
  for (const part of Object.values(schema)) checkDepth(part, depth + 1)
}

const countNodes = (schema: Json): number =>
  typeof schema !== "object" || schema === null
    ? 1
    : Object.values(schema).reduce<number>((count, part) => count + countNodes(part), 1)

const REFERENCES = new Set(["$ref", "$dynamicRef"])

/** Ajv looks up what a reference names member by member, and would go on into `Object.prototype`. */
const leadsOut = (reference: Json, own: ReadonlySet<string>): boolean =>
  typeof reference === "string" &&
  reference
    .slice(reference.indexOf("#") + 1)
    .split("/")
    .some((name) => name in Object.prototype && !own.has(name))

const checkNames = (schema: Json): void => {
  const own = new Set<string>()
  const references: Json[] = []
  const walk = (part: Json): void => {
    if (typeof part !== "object" || part === null) return
    for (const [name, inner] of Object.entries(part)) {
      own.add(name)
      if (REFERENCES.has(name)) references.push(inner)
      walk(inner)
    }
  }
  walk(schema)
  // Ajv passes over a member of this name, so a value's would go unchecked.
  if (own.has("__proto__")) throw invalid("A member cannot be called __proto__.")
  if (references.some((reference) => leadsOut(reference, own)))
    throw invalid("can't resolve a reference: it names nothing in the schema.")
}

let dialect: Ajv2020 | undefined

const checkAgainstDialect = (schema: Json): void => {
  if (typeof schema === "boolean") return
  if (typeof schema !== "object" || schema === null || Array.isArray(schema))
    throw invalid("A schema is an object, `true` or `false`.")
  const named = schema.$schema
  if (named !== undefined && named !== DIALECT && named !== `${DIALECT}#`)
    throw invalid(`Its $schema is not ${DIALECT}.`)
  // Ajv's own extension: such a validator answers with a promise, and a promise looks like a yes.
  if (Object.hasOwn(schema, "$async")) throw invalid("$async is not a keyword of JSON Schema.")
  dialect ??= new Ajv2020({ strict: false, logger: false })
  if (!dialect.validate(DIALECT, schema))
    throw invalid(dialect.errorsText(dialect.errors, { dataVar: "schema" }))
}

const compileChecked = (schema: AnySchema): ValidateFunction => {
  try {
    return withinBudget(() => compileWithAjv(schema))
  } catch (error) {
    if (error instanceof WorkExceeded)
      throw invalid("It takes too much work to compile; simplify its patterns.")
    if (error instanceof RangeError) throw invalid("Its references lead in a circle, or too far.")
    throw invalid(error instanceof Error ? error.message : String(error))
  }
}

const TOO_MUCH_WORK: FieldError[] = [
  { path: "", message: "checking this against the schema takes too much work; simplify the schema" },
]

const errorsOf = (validate: ValidateFunction, value: Json): FieldError[] => {
  try {
    if (withinBudget(() => validate(value))) return []
    const errors = (validate.errors ?? []).filter((error) => error !== null)
    return errors.slice(0, ERRORS_MAX).map(fieldError)
  } catch (error) {
    // Or a schema that refers to itself without getting anywhere.
    if (error instanceof WorkExceeded || error instanceof RangeError) return TOO_MUCH_WORK
    throw error
  } finally {
    // The validator is kept, and would keep the value with it.
    validate.errors = null
  }
}

const fieldError = ({ instancePath, message, params }: ErrorObject): FieldError => {
  const named: unknown =
    params.additionalProperty ?? params.unevaluatedProperty ?? params.propertyName ?? params.allowedValues
  const detail = named === undefined ? "" : `: ${JSON.stringify(named).slice(0, 200)}`
  return { path: instancePath, message: `${message ?? "is not valid"}${detail}` }
}
