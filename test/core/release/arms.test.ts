import { describe, expect, test } from "vitest"
import { type ChangeId, type ReleaseId, type TenantId, TIERS, type Tier } from "../../../core/ids.ts"
import { armOf, type LayerPointers, releaseFor, viewsOf } from "../../../core/release/arms.ts"
import { bucket } from "../../../core/release/bucket.ts"
import type { Audience, Pointer } from "../../../core/release/release.ts"

const release = (name: string) => name as ReleaseId
const changeId = "~platform:chg_0" as ChangeId
const tenants = Array.from({ length: 200 }, (_, i) => `tenant-${i}` as TenantId)

const pointer = (stable: string, weightBp: number | null = null): Pointer => ({
  seq: 1,
  at: "2026-01-01T00:00:00.000000Z",
  tier: null,
  stable: release(stable),
  stableChangeId: null,
  candidate: weightBp === null ? null : { release: release(`${stable}+`), changeId, step: 2, weightBp },
})
const pointers = (platform: Pointer, tier: Pointer, tenant: Pointer): LayerPointers => ({
  platform,
  tier,
  tenant,
})

describe("a rollout of the platform or a tier", () => {
  test("takes in whole tenants, by their bucket", () => {
    for (const tenant of tenants) {
      const expected = bucket(changeId, tenant) < 3_000 ? "p+" : "p"
      expect(releaseFor(pointer("p", 3_000), tenant, "Pro")).toBe(expected)
    }
  })

  test("takes in nobody at weight 0, everybody at 10,000, and never lets go of one in between", () => {
    const taken = (weightBp: number) =>
      tenants.filter((tenant) => releaseFor(pointer("p", weightBp), tenant, "Pro") === "p+")
    expect(taken(0)).toEqual([])
    expect(taken(10_000)).toEqual(tenants)
    expect(taken(7_000)).toEqual(expect.arrayContaining(taken(2_000)))
  })

  test("gives a tenant one view, not two", () => {
    const views = viewsOf(
      pointers(pointer("p", 10_000), pointer("t", 10_000), pointer("x")),
      tenants[0]!,
      "Pro",
    )
    expect(views).toEqual({ stable: { platform: "p+", tier: "t+", tenant: "x" }, candidate: null })
  })
})

describe("a wave of the platform or a tier", () => {
  const [one, other, another] = tenants as [TenantId, TenantId, TenantId]
  const waved = (audience: Partial<Audience>, weightBp = 0): Pointer => {
    const { candidate, ...rest } = pointer("p", weightBp)
    return {
      ...rest,
      candidate: { ...candidate!, audience: { tiers: [], tenants: [], excluded: [], ...audience } },
    }
  }
  const isReached = (at: Pointer, tenant: TenantId, tier: Tier | null): boolean =>
    releaseFor(at, tenant, tier) === "p+"

  test("reaches the tenants it names, those of the tiers it names, and its share, and nobody else", () => {
    expect(tenants.filter((tenant) => isReached(waved({ tenants: [one, other] }), tenant, "Pro"))).toEqual([
      one,
      other,
    ])
    for (const tier of TIERS) expect(isReached(waved({ tiers: ["Pro"] }), one, tier)).toBe(tier === "Pro")
    for (const tenant of tenants)
      expect(isReached(waved({ tenants: [one] }, 2_000), tenant, "Free")).toBe(
        tenant === one || bucket(changeId, tenant) < 2_000,
      )
  })

  test("does not mind a name that nobody has", () => {
    const gone = "no-such-tenant" as TenantId
    expect(
      tenants.some((tenant) => isReached(waved({ tenants: [gone], excluded: [gone] }), tenant, "Pro")),
    ).toBe(false)
  })

  test("leaves out whom the candidate failed, however they would be reached", () => {
    const at = waved({ tiers: ["Pro"], tenants: [one, other], excluded: [one] }, 10_000)
    expect(isReached(at, one, "Pro")).toBe(false)
    expect(isReached(at, other, "Free")).toBe(true)
    expect(isReached(at, another, "Free")).toBe(true)
  })

  test("reaches a tenant in both of its own views", () => {
    const at = pointers(waved({ tenants: [one] }), waved({ tiers: ["Pro"] }), pointer("x", 5_000))
    const views = viewsOf(at, one, "Pro")
    expect(views.stable).toEqual({ platform: "p+", tier: "p+", tenant: "x" })
    expect(views.candidate?.releases).toEqual({ platform: "p+", tier: "p+", tenant: "x+" })
    expect(viewsOf(at, other, "Free").stable).toEqual({ platform: "p", tier: "p", tenant: "x" })
  })
})

describe("a rollout of a tenant's own", () => {
  test("gives two views over the same platform and tier, whatever its weight", () => {
    for (const weightBp of [0, 5_000]) {
      const views = viewsOf(
        pointers(pointer("p"), pointer("t", 10_000), pointer("x", weightBp)),
        tenants[0]!,
        "Pro",
      )
      expect(views).toEqual({
        stable: { platform: "p", tier: "t+", tenant: "x" },
        candidate: { releases: { platform: "p", tier: "t+", tenant: "x+" }, changeId, step: 2, weightBp },
      })
    }
  })
})

describe("the arm of a reader", () => {
  test("is stable while nothing rolls out", () => {
    expect(armOf(null, "anyone")).toBe("stable")
  })

  test("is stable without a unit until everyone reads the candidate", () => {
    expect(armOf({ changeId, weightBp: 9_999 }, null)).toBe("stable")
    expect(armOf({ changeId, weightBp: 10_000 }, null)).toBe("candidate")
  })

  test("follows the unit's bucket", () => {
    const at = bucket(changeId, "alice")
    expect(armOf({ changeId, weightBp: at }, "alice")).toBe("stable")
    expect(armOf({ changeId, weightBp: at + 1 }, "alice")).toBe("candidate")
  })
})
