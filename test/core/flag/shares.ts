import { expect } from "vitest"
import { compileFlag } from "../../../core/flag/flag.ts"

const SHARES = [0, 0.01, 1, 5, 10, 25, 33.33, 50, 66.67, 75, 90, 99, 99.99, 100]

/** Chi-square with three degrees of freedom: one run in a thousand is above it by chance. */
const CHI_SQUARE_MAX = 16.27

/**
 * Gives that many entities a flag's percentages, growing: each share is as large as it says, nobody who was in falls
 * out, and who is in one flag's half says nothing of another's.
 */
export const countShares = (entities: number, tolerancePoints: number): void => {
  const flags = SHARES.map((percentage) => compileFlag("new_checkout", { enabled: true, percentage }))
  const [left, right] = ["left", "right"].map((key) => compileFlag(key, { enabled: true, percentage: 50 }))
  const counts = SHARES.map(() => 0)
  const both = [0, 0, 0, 0]
  for (let entity = 0; entity < entities; entity++) {
    const context = { targetingKey: `user-${entity}` }
    const isIn = flags.map((flag) => flag(context, 0).value === true)
    const first = isIn.indexOf(true)
    if (isIn.some((one, index) => one !== (first >= 0 && index >= first)))
      throw new Error(`user-${entity} moved back`)
    for (let index = first; index >= 0 && index < counts.length; index++) counts[index]!++
    both[(left!(context, 0).value ? 2 : 0) + (right!(context, 0).value ? 1 : 0)]!++
  }
  for (const [index, count] of counts.entries())
    expect(Math.abs((count / entities) * 100 - SHARES[index]!)).toBeLessThanOrEqual(tolerancePoints)
  const expected = entities / 4
  const chiSquare = both.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  expect(chiSquare).toBeLessThan(CHI_SQUARE_MAX)
}
