import { z } from "@hono/zod-openapi"
import { type FieldError, Refusal } from "../../core/errors.ts"

type Part = "params" | "query" | "body"

/** How many fields the detail tells of. */
const TOLD_MAX = 3
/** And `errors`: a body of nothing but unknown fields must not make an answer several times its own size. */
const ERRORS_MAX = 100
/** How many names are told to whoever got one wrong. */
const NAMED_MAX = 20

const pointer = (path: readonly PropertyKey[]): string =>
  path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("")

const named = (path: readonly PropertyKey[], part: Part): string =>
  part === "body" ? pointer(path) : path.map(String).join(".")

const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce((at, part) => (at as Record<PropertyKey, unknown> | null | undefined)?.[part], value)

const sentence = (text: string): string => {
  const bare = text.replace(/^(Invalid input|Invalid option): /, "")
  return `${bare.charAt(0).toUpperCase()}${bare.slice(1)}${/[.!?]$/.test(bare) ? "" : "."}`
}

/** What is wrong in words for whoever sent it; a schema's own words stay as they are. */
const messageOf = (issue: z.core.$ZodIssue, value: unknown, part: Part): string => {
  if (valueAt(value, issue.path) === undefined) return "It is required."
  if (issue.code === "invalid_type" && part !== "body") return `Expected a ${issue.expected}.`
  if (issue.code === "invalid_format" && issue.format === "datetime")
    return "Expected a time like 2026-01-31T12:00:00Z."
  if (issue.code === "invalid_union" && issue.message === "Invalid input")
    return issue.errors.map(([first]) => sentence(first?.message ?? "another form")).join(" Or: ")
  if (issue.code === "too_small" && COUNTED[issue.origin])
    return `Expected ${counted(issue.origin, issue.minimum)} or more.`
  if (issue.code === "too_big" && COUNTED[issue.origin])
    return `Expected ${counted(issue.origin, issue.maximum)} or fewer.`
  return sentence(issue.message)
}

const COUNTED: Readonly<Record<string, string>> = { array: "item", string: "character" }
const counted = (origin: string, many: number | bigint): string =>
  `${many} ${COUNTED[origin]}${many === 1 ? "" : "s"}`

/** What there is room for instead, told to whoever has only one name wrong. */
const instead = ({ keys, path }: z.core.$ZodIssueUnrecognizedKeys, schema: z.ZodType, part: Part): string => {
  const names = path.length === 0 && "shape" in schema ? Object.keys(schema.shape as object) : []
  const few = keys.length === 1 && names.length > 0 && names.length <= NAMED_MAX
  return few ? `: the ${part} takes ${names.join(", ")}` : ""
}

const fieldErrors = (issue: z.core.$ZodIssue, value: unknown, part: Part, schema: z.ZodType): FieldError[] =>
  issue.code === "unrecognized_keys"
    ? issue.keys.slice(0, ERRORS_MAX).map((key) => ({
        path: named([...issue.path, key], part),
        message: `There is no such ${part === "body" ? "field" : "parameter"}${instead(issue, schema, part)}.`,
      }))
    : [{ path: named(issue.path, part), message: messageOf(issue, value, part) }]

const told = (errors: readonly FieldError[], count: number): string => {
  const lines = errors
    .slice(0, TOLD_MAX)
    .map(({ path, message }) => (path === "" ? message : `${path}: ${message}`))
  if (count > TOLD_MAX) lines.push(`And ${count - TOLD_MAX} more.`)
  return lines.join(" ")
}

/**
 * The refusal of a body or query that is not as it should be. The detail says it in full, as far as it fits.
 * `count`: how many errors there are, where only some are given.
 */
export const misshapen = (part: Part, errors: readonly FieldError[], count = errors.length): Refusal =>
  new Refusal(part === "body" ? "BODY_INVALID" : "QUERY_INVALID", told(errors, count), {
    errors: errors.slice(0, ERRORS_MAX),
  })

/** The first of what a schema has against a value, field by field, in words for whoever sent it. */
export const faultsOf = (
  { issues }: z.core.$ZodError,
  schema: z.ZodType,
  value: unknown,
  part: Part,
): FieldError[] => issues.slice(0, ERRORS_MAX).flatMap((issue) => fieldErrors(issue, value, part, schema))

const countOf = ({ issues }: z.core.$ZodError): number =>
  issues.reduce((sum, issue) => sum + (issue.code === "unrecognized_keys" ? issue.keys.length : 1), 0)

const UNPARSED = "__proto__"

/** The schema itself, without what says only when it applies. */
const bare = (schema: unknown): unknown =>
  schema instanceof z.ZodOptional || schema instanceof z.ZodNullable ? bare(schema.unwrap()) : schema

const loses = (schema: unknown, value: unknown): boolean =>
  bare(schema) instanceof z.ZodRecord &&
  typeof value === "object" &&
  value !== null &&
  Object.hasOwn(value, UNPARSED)

/** Members that zod would leave out of a record without a word. */
const lost = (schema: z.ZodType, value: unknown): FieldError[] => {
  const shape = schema instanceof z.ZodObject ? (schema.shape as Record<string, unknown>) : {}
  const places = [
    ...(loses(schema, value) ? [""] : []),
    ...Object.keys(shape)
      .filter((name) => loses(shape[name], valueAt(value, [name])))
      .map((name) => `/${name}`),
  ]
  return places.map((place) => ({ path: `${place}/${UNPARSED}`, message: "There is no such field." }))
}

/** The value as the schema says it is, or one refusal that names every field that is not. */
export const checked = <Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  part: Part,
): z.output<Schema> => {
  const result = schema.safeParse(value)
  if (result.success) {
    const faults = part === "body" ? lost(schema, value) : []
    if (faults.length > 0) throw misshapen(part, faults)
    return result.data
  }
  throw misshapen(part, faultsOf(result.error, schema, value, part), countOf(result.error))
}
