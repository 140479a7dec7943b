import type { z } from "@hono/zod-openapi"
import { type FieldError, Refusal } from "../../core/errors.ts"

type Part = "params" | "query" | "body"

const pointer = (path: readonly PropertyKey[]): string =>
  path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("")

const named = (path: readonly PropertyKey[], part: Part): string =>
  part === "body" ? pointer(path) : path.map(String).join(".")

const fieldErrors = (issue: z.core.$ZodIssue, part: Part): FieldError[] =>
  issue.code === "unrecognized_keys"
    ? issue.keys.map((key) => ({
        path: named([...issue.path, key], part),
        message: "There is no such field.",
      }))
    : [{ path: named(issue.path, part), message: issue.message }]

/** The value as the schema says it is, or one refusal that names every field that is not. */
export const checked = <Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  part: Part,
): z.output<Schema> => {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const errors = result.error.issues.flatMap((issue) => fieldErrors(issue, part))
  const places = errors.map((error) => error.path || "the whole").join(", ")
  throw new Refusal(part === "body" ? "BODY_INVALID" : "QUERY_INVALID", `Not as expected: ${places}.`, {
    errors,
  })
}
