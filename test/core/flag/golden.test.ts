import { expect, test } from "vitest"
import { Flags } from "../../../core/flag/flags.ts"
import { GOLDEN, goldenAt } from "../../golden/golden.ts"

const evaluations = [
  ...GOLDEN,
  ...goldenAt(1_900_000_000).flatMap((view) => view.cases.filter((one) => one.isTimed)),
]

test.each(evaluations)("$name", ({ flags, flag, context, nowSeconds, expected }) => {
  const { errorMessage, ...evaluation } = new Flags(new Map(Object.entries(flags))).evaluate(
    flag,
    context,
    nowSeconds,
  )
  expect(evaluation).toEqual({ metadata: {}, ...expected })
  expect(errorMessage === undefined).toBe(expected.errorCode === undefined)
})

test("there are at least 150 of them", () => {
  expect(GOLDEN.length).toBeGreaterThanOrEqual(150)
})
