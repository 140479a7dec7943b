import { test } from "vitest"
import { countShares } from "./shares.ts"

test("a percentage is that share of entities, only grows, and is no other flag's", () => {
  countShares(20_000, 1)
})
