import { expect } from "vitest"
import { compileFlag } from "../../../core/flag/flag.ts"
import { rules } from "../../../core/flag/rules.ts"

const SHARES = [0, 0.01, 1, 5, 10, 25, 33.33, 50, 66.67, 75, 90, 99, 99.99, 100]

/** Flags of half of everybody, as like each other as names get. */
const HALVES = ["checkout", "checkout2", "checkout-2", "2checkout", "CHECKOUT", "a", "b", "new_checkout"]

/** Chi-square with one degree of freedom, of all pairs together one in ten thousand by chance: 0.0001 / 28 each. */
const CHI_SQUARE_MAX = 20.6

/**
 * Gives that many entities a flag's percentages, growing: each share is as large as it says, nobody who was in falls
 * out, and who is in one flag's half says nothing of any other's.
 */
export const countShares = (entities: number, tolerancePoints: number): void => {
  const flags = SHARES.map((percentage) => compileFlag("new_checkout", { enabled: true, percentage }, rules))
  const halves = HALVES.map((key) => compileFlag(key, { enabled: true, percentage: 50 }, rules))
  const counts = SHARES.map(() => 0)
  // By which of the halves they are in, one bit each.
  const among = new Float64Array(2 ** HALVES.length)
  for (let entity = 0; entity < entities; entity++) {
    const context = { targetingKey: `user-${entity}` }
    const isIn = flags.map((flag) => flag(context, 0).value === true)
    const first = isIn.indexOf(true)
    if (isIn.some((one, index) => one !== (first >= 0 && index >= first)))
      throw new Error(`user-${entity} moved back`)
    for (let index = first; index >= 0 && index < counts.length; index++) counts[index]!++
    let bits = 0
    for (let half = 0; half < halves.length; half++)
      if (halves[half]!(context, 0).value === true) bits |= 1 << half
    among[bits]!++
  }
  for (const [index, count] of counts.entries())
    expect(Math.abs((count / entities) * 100 - SHARES[index]!)).toBeLessThanOrEqual(tolerancePoints)
  for (let left = 0; left < HALVES.length; left++)
    for (let right = 0; right < left; right++)
      expect(chiSquare(among, left, right), `${HALVES[left]} and ${HALVES[right]}`).toBeLessThan(
        CHI_SQUARE_MAX,
      )
}

/** Of the four ways to be in two of them, as against what the size of each lets expect. */
const chiSquare = (among: Float64Array, left: number, right: number): number => {
  const cells = [0, 0, 0, 0]
  for (const [bits, count] of among.entries())
    cells[((bits >> left) & 1) * 2 + ((bits >> right) & 1)]! += count
  const [neither, onlyRight, onlyLeft, both] = cells as [number, number, number, number]
  const all = neither + onlyRight + onlyLeft + both
  const product = (onlyLeft + both) * (neither + onlyRight) * (onlyRight + both) * (neither + onlyLeft)
  return (all * (neither * both - onlyLeft * onlyRight) ** 2) / product
}
