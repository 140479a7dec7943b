import fc from "fast-check"
import { expect, test } from "vitest"
import { logLikelihoodRatio } from "../../../core/gate/ratio.ts"

test("no errors say nothing, and errors in proportion speak for the candidate", () => {
  expect(logLikelihoodRatio([{ candidateErrors: 0, errors: 0, share: 0.1 }])).toBeCloseTo(0, 12)
  expect(logLikelihoodRatio([{ candidateErrors: 10, errors: 100, share: 0.1 }])).toBeLessThan(0)
})

test("it is the average of r^C / (1 + (r - 1)p)^E over the five alternatives", () => {
  const direct = [1.5, 2, 4, 10, 50].map((r) => r ** 4 / (1 + (r - 1) * 0.1) ** 5)
  const average = direct.reduce((sum, one) => sum + one, 0) / 5
  expect(logLikelihoodRatio([{ candidateErrors: 4, errors: 5, share: 0.1 }])).toBeCloseTo(
    Math.log(average),
    10,
  )
})

test("five errors of the candidate and none of stable are enough at a tenth of the traffic", () => {
  const only = (errors: number) => logLikelihoodRatio([{ candidateErrors: errors, errors, share: 0.1 }])
  expect(only(4)).toBeLessThan(Math.log(2_000))
  expect(only(5)).toBeGreaterThan(Math.log(2_000))
})

test("however much evidence there is, it stays a number", () => {
  fc.assert(
    fc.property(fc.nat(1e9), fc.nat(1e9), fc.double({ min: 0, max: 1, noNaN: true }), (one, other, share) => {
      const strata = [{ candidateErrors: Math.min(one, other), errors: Math.max(one, other), share }]
      expect(Number.isFinite(logLikelihoodRatio(strata))).toBe(true)
    }),
    { numRuns: 500, seed: 1 },
  )
})

test("one more error on the candidate never makes it look better, one on stable never worse", () => {
  const count = fc.nat(1_000)
  fc.assert(
    fc.property(
      count,
      count,
      fc.double({ min: 0.001, max: 0.999, noNaN: true }),
      (candidate, stable, share) => {
        const of = (more: number, others: number) =>
          logLikelihoodRatio([
            { candidateErrors: candidate + more, errors: candidate + more + stable + others, share },
          ])
        expect(of(1, 0)).toBeGreaterThan(of(0, 0))
        expect(of(0, 1)).toBeLessThan(of(0, 0))
      },
    ),
    { numRuns: 500, seed: 2 },
  )
})
