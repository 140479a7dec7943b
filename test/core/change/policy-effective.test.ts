import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { Strategy } from "../../../core/change/change.ts"
import { effectivePolicy } from "../../../core/change/effective-policy.ts"
import { planOf } from "../../../core/change/plan.ts"
import {
  DEFAULT_CANARY,
  defaultPolicy,
  type Policy,
  type PolicyDocument,
} from "../../../core/change/policy.ts"
import type { LayerPolicy } from "../../../core/change/scope-state.ts"
import { DEFAULT_ENVIRONMENTS, type Environment } from "../../../core/environment.ts"
import type { GateThresholds } from "../../../core/gate/thresholds.ts"
import { PLATFORM, type ScopeId, tierScope } from "../../../core/ids.ts"

const acme = "acme" as ScopeId
const pro = tierScope("Pro")
const production = "Production" as Environment
const staging = "Staging" as Environment

const layer = (scope: ScopeId, document: PolicyDocument, locked = false): LayerPolicy => ({
  scope,
  version: 1,
  locked,
  document,
})
const effective = (layers: readonly LayerPolicy[], scope = acme, environment = production): Policy =>
  effectivePolicy(scope, environment, DEFAULT_ENVIRONMENTS, layers)

const direct: Strategy = { type: "direct" }
const blueGreen: Strategy = { type: "blue_green" }
const waves: Strategy = { type: "rolling", waves: [{ tier: "Free" }, { weightBp: 10_000 }] }

const someDocument: fc.Arbitrary<PolicyDocument> = fc.record(
  {
    stages: fc.constantFrom([], [{ role: "manager" as const, required: 2 }]),
    strategy: fc.constantFrom(direct, blueGreen, DEFAULT_CANARY),
    allowedStrategies: fc.constantFrom(["direct" as const], ["canary" as const, "blue_green" as const]),
    promoteFromAny: fc.boolean(),
    expiresAfterMs: fc.integer({ min: 60_000, max: 90_000 }),
    remindEveryMs: fc.option(fc.integer({ min: 60_000, max: 90_000 })),
    rollbackWindowMs: fc.nat(9),
    reviewWithinMs: fc.integer({ min: 60_000, max: 90_000 }),
    breakGlass: fc.constantFrom([], ["engineer" as const]),
    freezes: fc.constantFrom(
      [],
      [{ name: "x", timeZone: "UTC", from: "2026-01-01T00:00", until: "2027-01-01T00:00" }],
    ),
    snsTopics: fc.constantFrom([], ["arn:aws:sns:eu-central-1:123456789012:alarms"]),
    gate: fc.record(
      { ratioMin: fc.integer({ min: 20, max: 99 }), requestsMin: fc.nat(99), slowerMaxBp: fc.nat(999) },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
)

describe("the policy in force", () => {
  test("is the default where nobody says anything", () => {
    for (const scope of [acme, pro, PLATFORM])
      for (const environment of DEFAULT_ENVIRONMENTS)
        expect(effective([], scope, environment)).toEqual(
          defaultPolicy(scope, environment, DEFAULT_ENVIRONMENTS),
        )
  })

  test("has each member of the farthest that locks it, else of the nearest that says it, else of the default", () => {
    const somebody = fc.record({ document: someDocument, locked: fc.boolean() })
    fc.assert(
      fc.property(somebody, somebody, somebody, (platform, tier, tenant) => {
        const layers = [
          layer(PLATFORM, platform.document, platform.locked),
          layer(pro, tier.document, tier.locked),
          layer(acme, tenant.document, tenant.locked),
        ]
        const policy = effective(layers)
        const defaults = defaultPolicy(acme, production, DEFAULT_ENVIRONMENTS)
        const winner = <Value>(say: (document: PolicyDocument) => Value | undefined): Value | undefined => {
          const saying = layers.filter(({ document }) => say(document) !== undefined)
          const layerThatWins = saying.find(({ locked }) => locked) ?? saying.at(-1)
          return layerThatWins && say(layerThatWins.document)
        }
        expect(policy.allowedStrategies).toContain(policy.strategy.type)
        const strategy = winner((document) => document.strategy) ?? defaults.strategy
        if (policy.allowedStrategies.includes(strategy.type)) expect(policy.strategy).toEqual(strategy)
        for (const name of Object.keys(defaults) as (keyof Policy)[])
          if (name !== "gate" && name !== "strategy") {
            const won = winner((document) => document[name])
            expect(policy[name]).toEqual(won === undefined ? defaults[name] : won)
          }
        for (const name of Object.keys(defaults.gate) as (keyof GateThresholds)[])
          expect(policy.gate[name]).toBe(winner(({ gate }) => gate?.[name]) ?? defaults.gate[name])
      }),
      { seed: 20261121, numRuns: 2_000 },
    )
  })

  test("cannot be loosened under a lock, member by member", () => {
    const stages = [{ role: "compliance" as const, required: 2 }]
    const policy = effective([
      layer(PLATFORM, { stages, gate: { ratioMin: 100 } }, true),
      layer(acme, { stages: [], expiresAfterMs: 60_000, gate: { ratioMin: 1_000_000, requestsMin: 5 } }),
    ])
    expect(policy).toMatchObject({ stages, expiresAfterMs: 60_000, gate: { ratioMin: 100, requestsMin: 5 } })
  })

  test("may say of something that there is none", () => {
    const freezes = [{ name: "x", timeZone: "UTC", from: "2026-01-01T00:00", until: "2027-01-01T00:00" }]
    const policy = effective([
      layer(PLATFORM, { freezes, remindEveryMs: 60_000 }),
      layer(acme, { freezes: [], remindEveryMs: null }),
    ])
    expect(policy).toMatchObject({ freezes: [], remindEveryMs: null })
  })

  test("has a strategy that it allows: the first of them, where the one that would be in force is forbidden", () => {
    const strategyOf = (document: PolicyDocument, scope = acme, environment = staging) =>
      effective([layer(PLATFORM, document, true), layer(acme, { strategy: direct })], scope, environment)
        .strategy
    expect(strategyOf({ allowedStrategies: ["direct", "canary"] })).toEqual(direct)
    expect(strategyOf({ allowedStrategies: ["rolling", "canary", "blue_green"] })).toEqual(DEFAULT_CANARY)
    expect(strategyOf({ allowedStrategies: ["blue_green"] })).toEqual(blueGreen)
    const everyone = { type: "rolling", waves: [{ weightBp: 10_000 }] }
    expect(strategyOf({ allowedStrategies: ["canary", "rolling"] }, PLATFORM)).toEqual(everyone)
    for (const scope of [acme, pro])
      for (const type of ["direct", "canary", "blue_green", "rolling"] as const)
        planOf(strategyOf({ allowedStrategies: [type] }, scope), scope)
  })

  test("passes over a strategy that is for others who inherit it", () => {
    const layers = [layer(PLATFORM, { strategy: waves, allowedStrategies: ["rolling"] }, true)]
    expect(effective(layers, PLATFORM)).toMatchObject({ strategy: waves, allowedStrategies: ["rolling"] })
    // Within a tier there are no tiers to go by.
    expect(effective(layers, pro)).toMatchObject({ allowedStrategies: ["rolling"] })
    expect(effective(layers)).toEqual(defaultPolicy(acme, production, DEFAULT_ENVIRONMENTS))
    const forTenants = [layer(PLATFORM, { strategy: blueGreen, allowedStrategies: ["blue_green"] })]
    expect(effective(forTenants, acme, staging)).toMatchObject({
      strategy: blueGreen,
      allowedStrategies: ["blue_green"],
    })
    expect(effective(forTenants, PLATFORM)).toEqual(defaultPolicy(PLATFORM, production, DEFAULT_ENVIRONMENTS))
  })
})
