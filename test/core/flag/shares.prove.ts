import { test } from "vitest"
import { countShares } from "./shares.ts"

test("of a million entities each percentage is met within a quarter of a point", () => {
  countShares(1_000_000, 0.25)
})
