import { expect, test } from "vitest"
import { playSequences } from "./sequences.ts"

test("whatever people and the clock do in whatever order, only what was approved is read, and nothing is lost", () => {
  const reached = playSequences(600, 20_261_121)
  // A sample that did not come this way would prove nothing about it.
  expect([...reached].sort()).toEqual(
    expect.arrayContaining([
      "awaiting_approval → cancelled: base_moved",
      "awaiting_approval → expired",
      "awaiting_approval → live",
      "awaiting_approval → rejected",
      "awaiting_approval → rolling_out",
      "frozen: rolling_out",
      "frozen: scheduled",
      "live → rolled_back: rolled_back",
      "nothing → awaiting_approval",
      "nothing → live",
      "nothing → rolling_out",
      "nothing → scheduled",
      "notice: change.approval_reminder",
      "notice: change.glass_broken",
      "notice: change.held",
      "pointer: advance",
      "pointer: live",
      "pointer: rolled_back",
      "pointer: start",
      "pointer: tier",
      "policy kept",
      "refused: APPROVAL_NONE",
      "refused: BREAK_GLASS_FORBIDDEN",
      "refused: CHANGE_FROZEN",
      "refused: ROLLBACK_POLICY",
      "refused: STRATEGY_FORBIDDEN",
      "rolling_out → live",
      "rolling_out → rolled_back: aborted",
      "rolling_out → rolled_back: broken_glass",
      "rolling_out → rolled_back: superseded",
      "rolling_out → rolled_back: unhealthy",
      "scheduled → awaiting_approval",
      "scheduled → cancelled: base_moved",
      "scheduled → live",
      "scheduled → rolling_out",
      "taken back together",
      "tripped: rolled back",
      "tripped: taken out",
    ]),
  )
})
