import type { Role } from "../access.ts"
import { type Environment, isProduction } from "../environment.ts"
import { GATE, type GateThresholds } from "../gate/thresholds.ts"
import { type ConfigKey, isTenant, type ScopeId } from "../ids.ts"
import type { Rule } from "../rule/rule.ts"
import type { Stage, Strategy, StrategyType } from "./change.ts"

/**
 * The key a scope's own policy is kept under, in its releases like any config: versioned, layered, approved. No key
 * that anyone may name looks like it, and no reader is handed it.
 */
export const POLICY_KEY = "~policy" as ConfigKey

/** Does the service keep it for itself? Readers, promotions and lists leave such keys out. */
export const isReserved = (key: string): boolean => key.startsWith("~")

/** A time in which nothing starts and no rollout grows; breaking glass and rolling back pass. Names a time zone of the IANA. */
export type FreezeWindow =
  /** Once: local times, `2026-12-24T18:00`, from the first and before the second. */
  | { name: string; timeZone: string; from: string; until: string }
  /** Every week: on these days from `HH:MM` and before `HH:MM`, of the next day where that is not later. `24:00` ends a day. */
  | { name: string; timeZone: string; days: Weekday[]; from: string; until: string }
export type Weekday = "Mon" | "Tue" | "Wed" | "Thu" | "Fri" | "Sat" | "Sun"

/** What an environment asks of a change before and while it reaches readers. */
export interface Policy {
  stages: readonly Stage[]
  /** For changes that name none. */
  strategy: Strategy
  /** Those a change may name. */
  allowedStrategies: readonly StrategyType[]
  /** Environments may be skipped in a promotion only where this is true. */
  promoteFromAny: boolean
  expiresAfterMs: number
  /** How often those whose approval is due are reminded; `null`: never. */
  remindEveryMs: number | null
  /** How long after a release was stable one may return to it without approval. */
  rollbackWindowMs: number
  reviewWithinMs: number
  /** Who may break glass, besides platform admins; nobody at all where it is empty. */
  breakGlass: readonly Role[]
  freezes: readonly FreezeWindow[]
  gate: GateThresholds
  /** SNS topics whose alarms are believed. */
  snsTopics: readonly string[]
}

/**
 * A scope's own say, kept under {@link POLICY_KEY}: what is left out is inherited. Its rules are added to those of the other
 * layers, and none takes another's away.
 */
export type PolicyDocument = Partial<Omit<Policy, "gate">> & {
  gate?: Partial<GateThresholds>
  rules?: readonly Rule[]
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
 * Platform and tier scopes go out directly unless a change or a policy names waves.
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
    allowedStrategies: ["direct", "canary", "blue_green", "rolling"],
    promoteFromAny: false,
    expiresAfterMs: 7 * 24 * HOUR,
    remindEveryMs: 24 * HOUR,
    rollbackWindowMs: 24 * HOUR,
    reviewWithinMs: 24 * HOUR,
    breakGlass: ["manager", "tenant_admin"],
    freezes: [],
    gate: GATE,
    snsTopics: [],
  }
}
