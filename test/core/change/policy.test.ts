import { expect, test } from "vitest"
import { DEFAULT_CANARY, DEFAULT_CHAIN, defaultPolicy } from "../../../core/change/policy.ts"
import { DEFAULT_ENVIRONMENTS, type Environment } from "../../../core/environment.ts"
import type { ScopeId } from "../../../core/ids.ts"

const policyOf = (scope: string, environment: string) =>
  defaultPolicy(scope as ScopeId, environment as Environment, DEFAULT_ENVIRONMENTS)

test("only Production asks for approvals, and only a tenant's Production goes out as a canary", () => {
  for (const environment of ["Development", "QA", "Staging"])
    expect(policyOf("acme-corp", environment)).toMatchObject({ stages: [], strategy: { type: "direct" } })
  expect(policyOf("acme-corp", "Production")).toMatchObject({
    stages: DEFAULT_CHAIN,
    strategy: DEFAULT_CANARY,
  })
  for (const scope of ["~platform", "~tier.Pro"])
    expect(policyOf(scope, "Production")).toMatchObject({
      stages: DEFAULT_CHAIN,
      strategy: { type: "direct" },
    })
})

test("the default canary's holds add up to at most four minutes: from the last approval to live is under five", () => {
  const holds =
    DEFAULT_CANARY.type === "canary" ? DEFAULT_CANARY.steps.map(({ holdMs }) => holdMs ?? Infinity) : []
  expect(holds.reduce((sum, holdMs) => sum + holdMs, 0)).toBeLessThanOrEqual(4 * 60_000)
})
