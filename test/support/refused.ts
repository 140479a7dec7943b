import { expect } from "vitest"
import { type ProblemCode, Refusal } from "../../core/errors.ts"

/** What it throws, which has to be a refusal with that code. */
export const refusedAs = (code: ProblemCode, attempt: () => unknown): Refusal => {
  try {
    attempt()
  } catch (error) {
    expect(error).toBeInstanceOf(Refusal)
    expect((error as Refusal).code).toBe(code)
    return error as Refusal
  }
  throw new Error(`it was not refused, with ${code}`)
}
