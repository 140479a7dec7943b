import { type Environment, isProduction } from "../environment.ts"
import { isTenant, type ScopeId } from "../ids.ts"
import type { Stage, Strategy } from "./change.ts"

/** What an environment asks of a change before and while it reaches readers. */
export interface Policy {
  stages: readonly Stage[]
  strategy: Strategy
  /** Environments may be skipped in a promotion only where this is true. */
  promoteFromAny: boolean
  expiresAfterMs: number
  /** How long after a release was stable one may return to it without approval. */
  rollbackWindowMs: number
  reviewWithinMs: number
}

const SECOND = 1_000
const HOUR = 3_600 * SECOND

/** The chain that `approvalRequired: true` adds where the policy asks nobody. */
export const DEFAULT_CHAIN: readonly Stage[] = [
  { role: "engineer", required: 1 },
  { role: "manager", required: 1 },
  { role: "compliance", required: 1 },
]

/** 10 % → 50 % → everyone, in four minutes at the most. */
export const DEFAULT_CANARY: Strategy = {
  type: "canary",
  steps: [
    { weightBp: 1_000, holdMs: 120 * SECOND },
    { weightBp: 5_000, holdMs: 120 * SECOND },
  ],
}

/**
 * Production asks three people and goes out as a canary; every other environment is direct and asks nobody.
 * Platform and tier scopes go out directly: a canary buckets a tenant's subjects, and they have none.
 */
export const defaultPolicy = (
  scope: ScopeId,
  environment: Environment,
  environments: readonly Environment[],
): Policy => {
  const production = isProduction(environment, environments)
  return {
    stages: production ? DEFAULT_CHAIN : [],
    strategy: production && isTenant(scope) ? DEFAULT_CANARY : { type: "direct" },
    promoteFromAny: false,
    expiresAfterMs: 7 * 24 * HOUR,
    rollbackWindowMs: 24 * HOUR,
    reviewWithinMs: 24 * HOUR,
  }
}
