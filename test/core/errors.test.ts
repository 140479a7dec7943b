import { describe, expect, test } from "vitest"
import { PROBLEM_HELP } from "../../core/error-help.ts"
import { PROBLEMS, type ProblemCode, Refusal } from "../../core/errors.ts"

describe("the registry of problems", () => {
  test.each(Object.keys(PROBLEMS) as ProblemCode[])(
    "%s has a status of an error, a title and help",
    (code) => {
      const { status, title } = PROBLEMS[code]
      const help = PROBLEM_HELP[code]
      expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/)
      expect(status).toBeGreaterThanOrEqual(400)
      expect(status).toBeLessThan(600)
      expect(title).toMatch(/^(asOf |[A-Z]).*[^.]$/)
      expect(help).toMatch(/^[`A-Z].*\.$/)
    },
  )

  test("has no title twice", () => {
    const titles = Object.values(PROBLEMS).map(({ title }) => title)
    expect(new Set(titles).size).toBe(titles.length)
  })
})

test("a refusal is an error that carries its code, its detail and where", () => {
  const cause = new Error("below")
  const errors = [{ path: "/a", message: "must be integer" }]
  const refusal = new Refusal("SCHEMA_VIOLATION", "One value is wrong.", {
    errors,
    extra: { draft: 1 },
    cause,
  })
  expect(refusal).toBeInstanceOf(Error)
  expect(refusal).toMatchObject({
    code: "SCHEMA_VIOLATION",
    message: "One value is wrong.",
    errors,
    extra: { draft: 1 },
    cause,
  })
  expect(new Refusal("INTERNAL", "x")).toMatchObject({ errors: [], extra: {} })
})
