import fc from "fast-check"
import { expect, test } from "vitest"
import { Flags } from "../../../core/flag/flags.ts"
import { bucketOf } from "../../../core/flag/fractional.ts"
import { murmur3, murmur3After } from "../../../core/release/bucket.ts"

const seed = 20261121
const text = fc.string({ unit: "binary", maxLength: 20 })

test("hashing what comes after a prefix is hashing both", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), text), fc.oneof(fc.string(), text), (prefix, rest) => {
      expect(murmur3After(prefix)(rest) >>> 0).toBe(murmur3(prefix + rest))
    }),
    { seed, numRuns: 5_000 },
  )
})

test("a share begins and ends exactly at its buckets, however many there are", () => {
  const total = 2_147_483_647
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (by) => {
      const bucket = bucketOf(by, total)
      const isFirst = (weight: number): boolean => {
        const targeting = {
          fractional: [{ var: "by" }, ["first", weight], ["second", total - weight]],
        }
        const variants = { first: 1, second: 2 }
        const flags = new Flags(new Map([["it", { state: "ENABLED", variants, targeting }]]))
        return flags.evaluate("it", { by }, 0).variant === "first"
      }
      expect([isFirst(bucket), isFirst(bucket + 1)]).toEqual([false, true])
    }),
    { seed, numRuns: 500 },
  )
})

test("an entity has the share that its bucket is in, however odd the weights", () => {
  const weight = fc.oneof(fc.nat(3), fc.nat(100), fc.nat(700_000_000))
  fc.assert(
    fc.property(
      fc.string(),
      fc.string({ minLength: 1 }),
      fc.array(weight, { minLength: 1, maxLength: 3 }),
      (key, entity, weights) => {
        const names = weights.map((_, index) => `share-${index}`)
        const flags = new Flags(
          new Map([
            [
              key,
              {
                state: "ENABLED",
                variants: Object.fromEntries(names.map((name, index) => [name, index])),
                targeting: { fractional: weights.map((each, index) => [names[index]!, each]) },
              },
            ],
          ]),
        )
        const total = weights.reduce((sum, each) => sum + each, 0)
        const bucket = bucketOf(key + entity, total)
        let end = 0
        const index = weights.findIndex((each) => {
          end += each
          return bucket < end
        })
        expect(flags.evaluate(key, { targetingKey: entity }, 0).variant).toBe(names[index])
      },
    ),
    { seed, numRuns: 5_000 },
  )
})
