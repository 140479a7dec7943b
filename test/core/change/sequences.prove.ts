import { test } from "vitest"
import { playSequences } from "./sequences.ts"

test("ten thousand sequences of what people and the clock may do break none of the change machine's promises", () => {
  playSequences(10_000, 11_122_026)
})
