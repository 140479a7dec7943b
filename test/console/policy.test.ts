import fc from "fast-check"
import { expect, test } from "vitest"
import { gateInForce, membersInForce } from "../../console/src/parts/policy-words.ts"
import { readStrategy, strategyDraft } from "../../console/src/parts/strategy-draft.ts"
import type { Strategy } from "../../core/change/change.ts"
import { effectivePolicy, forScope } from "../../core/change/effective-policy.ts"
import type { PolicyDocument } from "../../core/change/policy.ts"
import type { LayerPolicy } from "../../core/change/scope-state.ts"
import { DEFAULT_ENVIRONMENTS, type Environment } from "../../core/environment.ts"
import type { ScopeId } from "../../core/ids.ts"

const holdMs = fc.option(fc.integer({ min: 0, max: 86_400_000 }))
const strategies: fc.Arbitrary<Strategy> = fc.oneof(
  fc.constant<Strategy>({ type: "direct" }),
  fc.record({
    type: fc.constant("canary" as const),
    steps: fc.array(fc.record({ weightBp: fc.integer({ min: 0, max: 10_000 }), holdMs }), { minLength: 1 }),
  }),
  fc.record(
    { type: fc.constant("blue_green" as const), bakeMs: fc.integer({ min: 0, max: 86_400_000 }) },
    { requiredKeys: ["type"] },
  ),
  fc.record({
    type: fc.constant("rolling" as const),
    waves: fc.array(fc.record({ weightBp: fc.integer({ min: 1, max: 10_000 }), holdMs })),
  }),
)

test("what of a strategy nobody alters stays what it was", () => {
  fc.assert(
    fc.property(strategies, (strategy) => {
      expect(readStrategy(strategyDraft(strategy))).toEqual(strategy)
    }),
    { seed: 7 },
  )
})

const documents: fc.Arbitrary<PolicyDocument> = fc.record(
  {
    stages: fc.array(fc.record({ role: fc.constant("manager" as const), required: fc.integer() })),
    strategy: strategies,
    allowedStrategies: fc.subarray(["direct", "canary", "blue_green", "rolling"], { minLength: 1 }),
    expiresAfterMs: fc.integer({ min: 60_000, max: 86_400_000 }),
    promoteFromAny: fc.boolean(),
    gate: fc.record(
      { requestsMin: fc.integer(), ratioMin: fc.integer() },
      { requiredKeys: [] },
    ) as fc.Arbitrary<NonNullable<PolicyDocument["gate"]>>,
  },
  { requiredKeys: [] },
)

test("each part of a policy is said to be of the layer that the rules take it from", () => {
  const scopes = ["~platform", "~tier.Free", "acme"] as ScopeId[]
  const layers = fc.tuple(...scopes.map((scope) => fc.tuple(fc.constant(scope), documents, fc.boolean())))
  const production = DEFAULT_ENVIRONMENTS.at(-1) as Environment
  const acme = scopes.at(-1)!
  fc.assert(
    fc.property(layers, (said) => {
      const kept = said.map(
        ([scope, document, isLocked]): LayerPolicy => ({
          scope,
          version: 1,
          locked: isLocked && scope.startsWith("~"),
          document: forScope(document, acme),
        }),
      )
      const shown = (some: LayerPolicy[], layers: LayerPolicy[]) => {
        const policy = effectivePolicy(acme, production, DEFAULT_ENVIRONMENTS, some)
        return [...membersInForce(policy, layers as never), ...gateInForce(policy, layers as never)]
      }
      const members = shown(kept, kept)
      // Had any other layer said nothing, it would be the same. What stands in for a strategy is of two members.
      for (const scope of scopes) {
        const without = shown(
          kept.filter((layer) => layer.scope !== scope),
          [],
        )
        for (const [nth, { name, words, from }] of members.entries())
          if (scope !== from?.scope && name !== "How it goes out")
            expect(without[nth]?.words, `${name}, of ${scope}`).toBe(words)
      }
    }),
    { seed: 7, numRuns: 300 },
  )
})
