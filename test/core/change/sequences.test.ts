import { expect, test } from "vitest"
import { playSequences } from "./model.ts"

test("whatever people and the clock do in whatever order, only what was approved is read, and nothing is lost", () => {
  const reached = playSequences(300, 20_261_121)
  // A sample that did not come this way would prove nothing about it.
  expect([...reached].sort()).toEqual(
    expect.arrayContaining([
      "awaiting_approval → cancelled: base_moved",
      "awaiting_approval → live",
      "awaiting_approval → rejected",
      "awaiting_approval → rolling_out",
      "live → rolled_back: rolled_back",
      "nothing → awaiting_approval",
      "nothing → live",
      "nothing → rolling_out",
      "nothing → scheduled",
      "pointer: advance",
      "pointer: live",
      "pointer: rolled_back",
      "pointer: start",
      "pointer: tier",
      "rolling_out → live",
      "rolling_out → rolled_back: aborted",
      "rolling_out → rolled_back: broken_glass",
      "rolling_out → rolled_back: superseded",
      "rolling_out → rolled_back: unhealthy",
      "scheduled → awaiting_approval",
      "scheduled → cancelled: base_moved",
      "scheduled → live",
      "scheduled → rolling_out",
    ]),
  )
})
