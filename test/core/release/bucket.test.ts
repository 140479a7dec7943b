import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { bucket, chunkIndex, FULL_BP, getsCandidate, murmur3 } from "../../../core/release/bucket.ts"

const seed = 20261106

test.each([
  ["", 0, 0],
  ["", 1, 0x514e28b7],
  ["", 0xffffffff, 0x81f16f39],
  ["aaaa", 0x9747b28c, 0x5a97808a],
  ["aaa", 0x9747b28c, 0x283e0130],
  ["aa", 0x9747b28c, 0x5d211726],
  ["a", 0x9747b28c, 0x7fa09ea6],
  ["abc", 0, 0xb3dd93fa],
  ["Hello, world!", 0x9747b28c, 0x24884cba],
  ["ππππππππ", 0x9747b28c, 0xd58063c1],
  ["The quick brown fox jumps over the lazy dog", 0x9747b28c, 0x2fa826cd],
])("murmur3 x86 32 of %j with seed %i is the published value", (text, hashSeed, expected) => {
  expect(murmur3(text, hashSeed)).toBe(expected)
})

describe("buckets", () => {
  const changeId = "acme:chg_0190a5d0c0de7000800000000000abcd"
  const subjects = Array.from({ length: 100_000 }, (_, i) => `user-${i}`)

  test.each([100, 1_000, 2_500, 5_000, 9_000])(
    "a weight of %i reaches its share of 100,000 subjects within 0.5 points",
    (weightBp) => {
      const reached = subjects.filter((subject) => getsCandidate(changeId, subject, weightBp)).length
      expect(Math.abs(reached / subjects.length - weightBp / FULL_BP)).toBeLessThan(0.005)
    },
  )

  test("every change draws its own share: two are independent", () => {
    const both = subjects.filter(
      (subject) => getsCandidate(changeId, subject, 5_000) && getsCandidate(`${changeId}0`, subject, 5_000),
    )
    expect(Math.abs(both.length / subjects.length - 0.25)).toBeLessThan(0.005)
  })

  test("a growing weight only adds, from nobody to everybody", () => {
    const weights = fc.tuple(fc.integer({ min: 0, max: FULL_BP }), fc.integer({ min: 0, max: FULL_BP }))
    const units = fc.option(fc.string({ unit: "binary" }), { nil: null })
    fc.assert(
      fc.property(fc.string(), units, weights, (change, unit, [one, other]) => {
        const [less, more] = [Math.min(one, other), Math.max(one, other)]
        if (getsCandidate(change, unit, less)) expect(getsCandidate(change, unit, more)).toBe(true)
        expect(getsCandidate(change, unit, 0)).toBe(false)
        expect(getsCandidate(change, unit, FULL_BP)).toBe(true)
        const at = bucket(change, unit)
        expect(Number.isInteger(at) && at >= 0 && at < FULL_BP).toBe(true)
      }),
      { seed, numRuns: 2_000 },
    )
  })

  test("who has no unit comes last", () => {
    expect(bucket(changeId, null)).toBe(9_999)
  })
})

test("chunks of keys are even, and halve when there are twice as many", () => {
  const keys = Array.from({ length: 10_000 }, (_, i) => `service.${i}.timeout`)
  const counts = new Array<number>(64).fill(0)
  for (const key of keys) {
    const index = chunkIndex(key, 6)
    counts[index]!++
    expect(chunkIndex(key, 5)).toBe(index >> 1)
    expect(chunkIndex(key, 0)).toBe(0)
  }
  expect(Math.min(...counts)).toBeGreaterThan(100)
  expect(Math.max(...counts)).toBeLessThan(220)
})
