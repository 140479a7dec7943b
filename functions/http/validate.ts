import type { z } from "@hono/zod-openapi"
import { type FieldError, Refusal } from "../../core/errors.ts"

type Part = "params" | "query" | "body"

/** How many fields the detail tells of. */
const TOLD_MAX = 3
/** And `errors`: a body of nothing but unknown fields must not make an answer several times its own size. */
const ERRORS_MAX = 100

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
  return sentence(issue.message)
}

const fieldErrors = (issue: z.core.$ZodIssue, value: unknown, part: Part): FieldError[] =>
  issue.code === "unrecognized_keys"
    ? issue.keys.map((key) => ({
        path: named([...issue.path, key], part),
        message: `There is no such ${part === "body" ? "field" : "parameter"}.`,
      }))
    : [{ path: named(issue.path, part), message: messageOf(issue, value, part) }]

const told = (errors: readonly FieldError[]): string => {
  const lines = errors.slice(0, TOLD_MAX).map(({ path, message }) => `${path || "the whole"}: ${message}`)
  if (errors.length > TOLD_MAX) lines.push(`And ${errors.length - TOLD_MAX} more.`)
  return lines.join(" ")
}

/** The refusal of a body or query that is not as it should be. The detail says it in full, as far as it fits. */
export const misshapen = (part: Part, errors: readonly FieldError[]): Refusal =>
  new Refusal(part === "body" ? "BODY_INVALID" : "QUERY_INVALID", told(errors), {
    errors: errors.slice(0, ERRORS_MAX),
  })

/** The value as the schema says it is, or one refusal that names every field that is not. */
export const checked = <Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  part: Part,
): z.output<Schema> => {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw misshapen(
    part,
    result.error.issues.flatMap((issue) => fieldErrors(issue, value, part)),
  )
}
