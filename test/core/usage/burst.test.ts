import { expect, test } from "vitest"
import { BURST, countRefusals, type Refusals } from "../../../core/usage/burst.ts"

/** How often it is told, of so many refusals at each second. */
const told = (bySecond: readonly (readonly [second: number, many: number])[]): number => {
  let refusals: Refusals | null = null
  let alerts = 0
  for (const [second, many] of bySecond) {
    const counted = countRefusals(refusals, many, second * 1_000)
    refusals = counted.refusals
    if (counted.alert) alerts++
  }
  return alerts
}

test("a burst is told of once, however long it goes on", () => {
  expect(told([[0, BURST]])).toBe(1)
  expect(told(Array.from({ length: 300 }, (_, second) => [second, 5]))).toBe(1)
})

test("now and then a refusal is none", () => {
  expect(told([[0, BURST - 1]])).toBe(0)
  expect(told(Array.from({ length: 100 }, (_, minute) => [minute * 60, BURST - 1]))).toBe(0)
})

test("after a quiet minute the next one is another", () => {
  expect(
    told([
      [0, BURST],
      [61, BURST],
      [300, BURST],
      [302, BURST],
      [361, 1],
      [425, BURST],
    ]),
  ).toBe(3)
})
