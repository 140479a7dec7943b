import { expect, test } from "vitest"
import { playRuns, tally } from "../../../bench/verdict/tally.ts"

// The benchmark plays thousands; these are the first of the same runs.
const runs = playRuns(120, 1)

test("good rollouts are left alone and bad ones found, where fixed thresholds do neither", () => {
  const gate = tally(runs)
  expect({ falseAlarms: gate.falseAlarms, missed: gate.missed }).toEqual({ falseAlarms: 0, missed: 0 })
  for (const rule of ["2 × baseline, min 50", "> 5 %, min 100"] as const)
    expect(tally(runs, rule).falseAlarms).toBeGreaterThan(5)
})

test("the same seed plays the same runs", () => {
  expect(playRuns(10, 1)).toEqual(runs.slice(0, 10))
})
