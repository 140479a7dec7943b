import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { Step, Strategy, Wave } from "../../../core/change/change.ts"
import { planOf } from "../../../core/change/plan.ts"
import { type ChangeId, PLATFORM, type TenantId, TIERS, type Tier } from "../../../core/ids.ts"
import { isReached } from "../../../core/release/arms.ts"
import { bucket, getsCandidate } from "../../../core/release/bucket.ts"

const changeIds = Array.from(
  { length: 4 },
  (_, i) => `acme:chg_${(i * 7_919).toString(16).padStart(32, "0")}` as ChangeId,
)
const changeId = changeIds[1]!
const subjectsOf = [
  (i: number) => String(i),
  (i: number) => `user-${i}@example.com`,
  (i: number) => `0190f3c2-${(i >>> 16).toString(16)}-7${(i & 0xfff).toString(16)}-8000-${i.toString(16)}`,
]
const TENANTS = Array.from({ length: 1_000 }, (_, i) => ({
  tenantId: `tenant-${i}` as TenantId,
  // One in ten, two in ten and the rest, in no order that a hash could follow.
  tier: (i % 10 === 3 ? "Enterprise" : i % 10 < 3 && i % 10 > 0 ? "Pro" : "Free") as Tier,
}))

const reachedBy = (step: Step, excluded: readonly TenantId[] = []): Set<TenantId> => {
  const { weightBp, tiers = [], tenants = [] } = step
  const candidate = { changeId, weightBp, audience: { tiers, tenants, excluded } }
  return new Set(
    TENANTS.filter(({ tenantId, tier }) => isReached(candidate, tenantId, tier)).map(
      ({ tenantId }) => tenantId,
    ),
  )
}

describe("10 % → 50 % → 100 % of 100,000 subjects", () => {
  test.each(changeIds)("takes each share within half a point, and never a subject back (%s)", (id) => {
    for (const subjectOf of subjectsOf) {
      const subjects = Array.from({ length: 100_000 }, (_, i) => subjectOf(i))
      const buckets = subjects.map((subject) => bucket(id, subject))
      for (const weightBp of [1_000, 5_000, 10_000]) {
        const share = (buckets.filter((at) => at < weightBp).length * 10_000) / buckets.length
        expect(Math.abs(share - weightBp), `${share} at ${weightBp}`).toBeLessThanOrEqual(50)
      }
    }
  })

  test("shows each subject the candidate from one step on, and from then on for good", () => {
    const steps = [1_000, 5_000, 10_000]
    const movedBack = Array.from({ length: 100_000 }, (_, i) => `user-${i}`).filter((subject) => {
      const seen = steps.map((weightBp) => getsCandidate(changeId, subject, weightBp))
      return seen.some((isSeen, step) => isSeen && seen.includes(false, step))
    })
    expect(movedBack).toEqual([])
  })
})

describe("waves over 1,000 tenants", () => {
  test("reach lists and tiers exactly, and shares within five points", () => {
    const named = ["tenant-7", "tenant-77", "tenant-777"] as TenantId[]
    const plan = planOf(
      {
        type: "rolling",
        waves: [
          { tenants: [...named, "nobody-here" as TenantId] },
          { tier: "Free" },
          { tier: "Enterprise" },
          { weightBp: 10_000 },
        ],
      },
      PLATFORM,
    )
    const ofTier = (...tiers: Tier[]) => TENANTS.filter(({ tier }) => tiers.includes(tier))
    const [first, free, enterprise, all] = plan.map((step) => reachedBy(step))
    expect(first).toEqual(new Set(named))
    expect(free).toEqual(new Set([...named, ...ofTier("Free").map(({ tenantId }) => tenantId)]))
    expect(enterprise).toEqual(
      new Set([...named, ...ofTier("Free", "Enterprise").map(({ tenantId }) => tenantId)]),
    )
    expect(all!.size).toBe(1_000)
    for (const weightBp of [100, 1_000, 2_500, 5_000, 7_500, 9_900])
      for (const id of changeIds) {
        const reached = TENANTS.filter(({ tenantId }) =>
          isReached({ changeId: id, weightBp }, tenantId, null),
        )
        expect(Math.abs(reached.length / 10 - weightBp / 100)).toBeLessThanOrEqual(5)
      }
  })

  test("only ever add tenants, and the last reaches all but those that were taken out", () => {
    const wave: fc.Arbitrary<Wave> = fc.oneof(
      fc.constantFrom(...TIERS).map((tier) => ({ tier })),
      fc.integer({ min: 1, max: 9_999 }).map((weightBp) => ({ weightBp })),
      fc
        .uniqueArray(fc.nat(1_100), { minLength: 1, maxLength: 5 })
        .map((numbers) => ({ tenants: numbers.map((number) => `tenant-${number}` as TenantId) })),
    )
    let plans = 0
    fc.assert(
      fc.property(fc.array(wave, { maxLength: 6 }), fc.array(fc.nat(999), { maxLength: 3 }), (waves, out) => {
        const strategy: Strategy = { type: "rolling", waves: [...waves, { weightBp: 10_000 }] }
        let plan: readonly Step[]
        try {
          plan = planOf(strategy, PLATFORM)
        } catch {
          return
        }
        plans++
        const excluded = out.map((number) => `tenant-${number}` as TenantId)
        let before = new Set<TenantId>()
        for (const step of plan) {
          const reached = reachedBy(step, excluded)
          expect([...before].filter((tenantId) => !reached.has(tenantId))).toEqual([])
          expect(excluded.filter((tenantId) => reached.has(tenantId))).toEqual([])
          before = reached
        }
        expect(before.size).toBe(1_000 - new Set(excluded).size)
      }),
      { seed: 20261121, numRuns: 600 },
    )
    expect(plans).toBeGreaterThan(150)
  })
})
