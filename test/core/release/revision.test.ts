import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { formatRevision, isNewer, parseRevision, type Revision } from "../../../core/release/revision.ts"

const seed = 20261107
const few = fc.nat(3)
const revisions: fc.Arbitrary<Revision> = fc.record({
  epoch: fc.nat(1),
  platform: few,
  tier: few,
  tenant: few,
})
const of = (text: string) => parseRevision(text)!

describe("newer", () => {
  test("is never said both ways, nor of a revision and itself", () => {
    fc.assert(
      fc.property(revisions, revisions, (a, b) => {
        expect(isNewer(a, b) && isNewer(b, a)).toBe(false)
        expect(isNewer(a, a)).toBe(false)
      }),
      { seed, numRuns: 5_000 },
    )
  })

  test("carries over: newer than a newer one is newer", () => {
    fc.assert(
      fc.property(revisions, revisions, revisions, (a, b, c) => {
        if (isNewer(a, b) && isNewer(b, c)) expect(isNewer(a, c)).toBe(true)
      }),
      { seed, numRuns: 20_000 },
    )
  })

  test.each([
    ["0.1.1.2", "0.1.1.1", "the tenant moved"],
    ["0.1.2.1", "0.1.1.1", "the tier moved"],
    ["0.2.1.1", "0.1.1.1", "the platform moved"],
    ["1.0.0.0", "0.9.9.9", "the epoch rose, whatever else fell"],
    ["0.1.1.2", "0.1.7.1", "the tier was changed, and its part counts from elsewhere"],
  ])("%s is newer than %s: %s", (next, than) => {
    expect(isNewer(of(next), of(than))).toBe(true)
    expect(isNewer(of(than), of(next))).toBe(false)
  })

  test("cannot be told where each has something the other lacks", () => {
    for (const [a, b] of [
      ["0.2.1.1", "0.1.1.2"],
      ["0.2.1.1", "0.1.2.1"],
    ] as const) {
      expect(isNewer(of(a), of(b))).toBe(false)
      expect(isNewer(of(b), of(a))).toBe(false)
    }
  })
})

describe("the text of a revision", () => {
  test("is read as it was written", () => {
    const part = fc.nat(1e15 - 1)
    const large = fc.record({ epoch: part, platform: part, tier: part, tenant: part })
    fc.assert(
      fc.property(large, (revision) => {
        expect(parseRevision(formatRevision(revision))).toEqual(revision)
      }),
      { seed },
    )
  })

  test.each([
    "",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.-4",
    "1.2.3.4 ",
    "1.2.3.1e3",
    "1.2.3.1234567890123456",
    "a.b.c.d",
  ])("%j is none", (text) => {
    expect(parseRevision(text)).toBeNull()
  })
})
