import { z } from "@hono/zod-openapi"
import { describe, expect, test } from "vitest"
import { Refusal } from "../../../core/errors.ts"
import { checked } from "../../../functions/http/validate.ts"

const refusalOf = (schema: z.ZodType, value: unknown, part: "query" | "body" = "body"): Refusal => {
  try {
    checked(schema, value, part)
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
  throw new Error("it was not refused")
}

const Body = z.strictObject({
  name: z.string().max(8),
  size: z.int().optional(),
  at: z.iso.datetime({ offset: true }).optional(),
  who: z.union([z.literal("*"), z.array(z.string()).min(1)]).optional(),
})

describe("what is not as it should be", () => {
  test.each([
    [{}, "/name: It is required."],
    [{ name: 5 }, "/name: Expected string, received number."],
    [{ name: "n", extra: 1 }, "/extra: There is no such field: the body takes name, size, at, who."],
    [{ name: "n", at: "tomorrow" }, "/at: Expected a time like 2026-01-31T12:00:00Z."],
    [{ name: "n", who: 5 }, '/who: Expected "*". Or: Expected array, received number.'],
    [{ name: "n", who: [] }, "/who: Expected 1 item or more."],
    [{ name: "n".repeat(9) }, "/name: Expected 8 characters or fewer."],
    [[], "Expected object, received array."],
  ])("is said in the detail, so that nobody has to look further: %j", (value, detail) => {
    const refusal = refusalOf(Body, value)
    expect(refusal.message).toBe(detail)
    expect(refusal.code).toBe("BODY_INVALID")
  })

  test("is told for three fields in the detail and for every one in errors", () => {
    const refusal = refusalOf(Body, { name: "n", a: 1, b: 1, c: 1, d: 1 })
    expect(refusal.message).toMatch(/^\/a: .* \/b: .* \/c: .* And 1 more\.$/)
    expect(refusal.errors.map(({ path }) => path)).toEqual(["/a", "/b", "/c", "/d"])
  })

  test("is called a parameter in a query, where everything is text", () => {
    const Query = z.strictObject({ limit: z.coerce.number().int(), from: z.coerce.number() })
    const refusal = refusalOf(Query, { limit: "many", other: "1" }, "query")
    expect(refusal.code).toBe("QUERY_INVALID")
    expect(refusal.errors).toEqual([
      { path: "limit", message: "Expected a number." },
      { path: "from", message: "It is required." },
      { path: "other", message: "There is no such parameter: the query takes limit, from." },
    ])
  })
})
