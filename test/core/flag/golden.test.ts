import { expect, test } from "vitest"
import { Flags } from "../../../core/flag/flags.ts"
import { GOLDEN, GOLDEN_SECONDS } from "../../golden/golden.ts"

test.each(GOLDEN)("$name", ({ flags, flag, context, expected }) => {
  const { errorMessage, ...evaluation } = new Flags(new Map(Object.entries(flags))).evaluate(
    flag,
    context,
    GOLDEN_SECONDS,
  )
  expect(evaluation).toEqual({ metadata: {}, ...expected })
  expect(errorMessage === undefined).toBe(expected.errorCode === undefined)
})

test("there are at least 150 of them", () => {
  expect(GOLDEN.length).toBeGreaterThanOrEqual(150)
})
