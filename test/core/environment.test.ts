import { describe, expect, test } from "vitest"
import {
  DEFAULT_ENVIRONMENTS,
  isProduction,
  parseEnvironment,
  parseEnvironments,
} from "../../core/environment.ts"

describe("the list of environments", () => {
  test("keeps its order, which is that of promotion", () => {
    expect(parseEnvironments(" Development, QA ,eu-Production1")).toEqual([
      "Development",
      "QA",
      "eu-Production1",
    ])
    expect(parseEnvironments("Development,QA,Staging,Production")).toEqual(DEFAULT_ENVIRONMENTS)
  })

  test.each(["", "A,,B", "A,B C", "1st", "a:b", "~a", "a.b", `${"a".repeat(33)}`])("is not %j", (list) => {
    expect(() => parseEnvironments(list)).toThrow("is not an environment name")
  })

  test("has no two names that differ only by case", () => {
    expect(() => parseEnvironments("QA,Staging,qa")).toThrow("named twice")
  })
})

describe("an environment", () => {
  test("is found whatever the case, and spelt as it was declared", () => {
    expect(parseEnvironment("STAGING", DEFAULT_ENVIRONMENTS)).toBe("Staging")
    expect(parseEnvironment("stage", DEFAULT_ENVIRONMENTS)).toBeNull()
  })

  test("is production when it is the last", () => {
    expect(DEFAULT_ENVIRONMENTS.map((one) => isProduction(one, DEFAULT_ENVIRONMENTS))).toEqual([
      false,
      false,
      false,
      true,
    ])
    const [only] = parseEnvironments("Everything")
    expect(isProduction(only!, [only!])).toBe(true)
  })
})
