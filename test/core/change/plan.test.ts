import { describe, expect, test } from "vitest"
import type { Strategy, StrategyType } from "../../../core/change/change.ts"
import { checkAllowed, planOf } from "../../../core/change/plan.ts"
import { type FieldError, Refusal } from "../../../core/errors.ts"
import { PLATFORM, type ScopeId, type TenantId, tierScope } from "../../../core/ids.ts"

const acme = "acme" as ScopeId
const pro = tierScope("Pro")
const tenants = (...names: string[]) => names as TenantId[]

const canary = (...steps: [weightBp: unknown, holdMs?: unknown][]): Strategy => ({
  type: "canary",
  steps: steps.map(([weightBp, holdMs = 0]) => ({ weightBp, holdMs })) as never,
})
const rolling = (...waves: object[]): Strategy => ({ type: "rolling", waves: waves as never })
const everyone = { weightBp: 10_000 }

const refusal = (strategy: Strategy, scope: ScopeId): { code: string; errors: readonly FieldError[] } => {
  try {
    planOf(strategy, scope)
  } catch (error) {
    if (error instanceof Refusal) return { code: error.code, errors: error.errors }
    throw error
  }
  throw new Error("it was taken")
}
const places = (strategy: Strategy, scope: ScopeId): string[] =>
  refusal(strategy, scope).errors.map(({ path }) => path)

describe("a plan", () => {
  test("of direct has no steps, in whatever scope", () => {
    for (const scope of [acme, pro, PLATFORM]) expect(planOf({ type: "direct" }, scope)).toEqual([])
  })

  test("of a canary is its steps, the last of which may be everyone, for a bake", () => {
    const steps = [
      { weightBp: 0, holdMs: null },
      { weightBp: 500, holdMs: 1 },
      { weightBp: 10_000, holdMs: 5 },
    ]
    expect(planOf({ type: "canary", steps }, acme)).toEqual(steps)
    expect(planOf(canary([500, 1], [10_000, 0]), acme)).toEqual([{ weightBp: 500, holdMs: 1 }])
  })

  test("of blue-green waits for a person before the switch, and bakes after it", () => {
    const waiting = { weightBp: 0, holdMs: null }
    expect(planOf({ type: "blue_green" }, acme)).toEqual([waiting, { weightBp: 10_000, holdMs: 120_000 }])
    expect(planOf({ type: "blue_green", bakeMs: 7 }, acme)).toEqual([
      waiting,
      { weightBp: 10_000, holdMs: 7 },
    ])
    expect(planOf({ type: "blue_green", bakeMs: 0 }, acme)).toEqual([waiting])
  })

  test("of waves adds up what they reach", () => {
    const strategy = rolling(
      { tenants: tenants("globex", "acme") },
      { tier: "Free", holdMs: null },
      { weightBp: 2_500, holdMs: 5 },
      { tenants: tenants("initech"), holdMs: 0 },
      { tier: "Pro" },
      everyone,
    )
    const first = tenants("globex", "acme")
    const all = [...first, ...tenants("initech")]
    expect(planOf(strategy, PLATFORM)).toEqual([
      { weightBp: 0, holdMs: 60_000, tiers: [], tenants: first },
      { weightBp: 0, holdMs: null, tiers: ["Free"], tenants: first },
      { weightBp: 2_500, holdMs: 5, tiers: ["Free"], tenants: first },
      { weightBp: 2_500, holdMs: 0, tiers: ["Free"], tenants: all },
      { weightBp: 2_500, holdMs: 60_000, tiers: ["Free", "Pro"], tenants: all },
      { weightBp: 10_000, holdMs: 60_000, tiers: ["Free", "Pro"], tenants: all },
    ])
    expect(planOf(rolling({ weightBp: 1, holdMs: 9 }, { ...everyone, holdMs: 0 }), pro)).toHaveLength(1)
  })
})

describe("a strategy is refused, naming each step,", () => {
  test.each<[string, Strategy, ScopeId, string[]]>([
    ["without steps", canary(), acme, ["/strategy/steps"]],
    [
      "with more than 20",
      canary(...Array.from({ length: 21 }, (_, i) => [i] as [number])),
      acme,
      ["/strategy/steps"],
    ],
    ["whose weights shrink", canary([500], [400], [300]), acme, ["/strategy/steps/1", "/strategy/steps/2"]],
    ["whose weights stand still", canary([500], [500]), acme, ["/strategy/steps/1"]],
    ["with a step after everyone", canary([10_000, 9], [10_000]), acme, ["/strategy/steps/1"]],
    ["with more than everyone", canary([10_001]), acme, ["/strategy/steps/0"]],
    ["with less than nobody", canary([-1]), acme, ["/strategy/steps/0"]],
    ["with parts of a basis point", canary([0.5]), acme, ["/strategy/steps/0"]],
    ["with a weight as text", canary(["500"]), acme, ["/strategy/steps/0"]],
    ["with a hold below zero", canary([500, -1]), acme, ["/strategy/steps/0"]],
    ["with a hold of more than a day", canary([500, 86_400_001]), acme, ["/strategy/steps/0"]],
    ["with a hold as text", canary([500, "1"]), acme, ["/strategy/steps/0"]],
    ["whose bake is none", { type: "blue_green", bakeMs: -1 }, acme, ["/strategy/bakeMs"]],
    ["without waves", rolling(), PLATFORM, ["/strategy/waves"]],
    ["with an empty wave", rolling({ tenants: [] }, everyone), PLATFORM, ["/strategy/waves/0"]],
    ["with a wave of nothing", rolling({ holdMs: 5 }, everyone), PLATFORM, ["/strategy/waves/0"]],
    [
      "with a wave of two kinds",
      rolling({ tier: "Pro", weightBp: 5 }, everyone),
      PLATFORM,
      ["/strategy/waves/0"],
    ],
    [
      "whose waves never reach everyone",
      rolling({ tier: "Pro" }, { weightBp: 9_999 }),
      PLATFORM,
      ["/strategy/waves/1"],
    ],
    [
      "whose last wave is a tier",
      rolling({ weightBp: 9_999 }, { tier: "Pro" }),
      PLATFORM,
      ["/strategy/waves/1"],
    ],
    ["with a wave after everyone", rolling(everyone, { tier: "Pro" }), PLATFORM, ["/strategy/waves/1"]],
    [
      "that names a tier twice",
      rolling({ tier: "Pro" }, { tier: "Pro" }, everyone),
      PLATFORM,
      ["/strategy/waves/1"],
    ],
    ["that names no tier there is", rolling({ tier: "Gold" }, everyone), PLATFORM, ["/strategy/waves/0"]],
    ["with waves by tier within a tier", rolling({ tier: "Pro" }, everyone), pro, ["/strategy/waves/0"]],
    [
      "that names a tenant twice",
      rolling({ tenants: tenants("a", "a") }, everyone),
      PLATFORM,
      ["/strategy/waves/0"],
    ],
    [
      "that names a tenant of an earlier wave",
      rolling({ tenants: tenants("a") }, { tenants: tenants("b", "a") }, everyone),
      PLATFORM,
      ["/strategy/waves/1"],
    ],
    [
      "that names what is no tenant",
      rolling({ tenants: tenants("~tier.Pro") }, everyone),
      PLATFORM,
      ["/strategy/waves/0"],
    ],
    [
      "that names more than 1,000 tenants",
      rolling({ tenants: Array.from({ length: 1_001 }, (_, i) => `t${i}`) }, everyone),
      PLATFORM,
      ["/strategy/waves/0"],
    ],
    [
      "whose share does not rise",
      rolling({ weightBp: 50 }, { weightBp: 50 }, everyone),
      PLATFORM,
      ["/strategy/waves/1"],
    ],
    ["whose share is nobody", rolling({ weightBp: 0 }, everyone), PLATFORM, ["/strategy/waves/0"]],
    ["whose hold is none", rolling({ weightBp: 50, holdMs: 0.5 }, everyone), PLATFORM, ["/strategy/waves/0"]],
  ])("%s", (_, strategy, scope, expected) => {
    expect(refusal(strategy, scope).code).toBe("STRATEGY_INVALID")
    expect(places(strategy, scope)).toEqual(expected)
  })

  test("that is direct by another name", () => {
    expect(refusal(canary([10_000]), acme).code).toBe("STRATEGY_INVALID")
    expect(refusal(rolling({ ...everyone, holdMs: 0 }), PLATFORM).code).toBe("STRATEGY_INVALID")
  })

  test("in a scope that has not what it divides", () => {
    for (const scope of [PLATFORM, pro])
      for (const strategy of [canary([500]), { type: "blue_green" } as Strategy])
        expect(refusal(strategy, scope).code).toBe("STRATEGY_UNSUITABLE")
    expect(refusal(rolling(everyone), acme).code).toBe("STRATEGY_UNSUITABLE")
  })

  test("that the policy does not allow", () => {
    const policy = { allowedStrategies: ["canary", "blue_green"] as StrategyType[] }
    expect(() => checkAllowed(canary([500]), policy)).not.toThrow()
    expect(() => checkAllowed({ type: "direct" }, policy)).toThrow(
      expect.objectContaining({
        code: "STRATEGY_FORBIDDEN",
        message: expect.stringContaining("canary, blue_green"),
      }),
    )
  })
})
