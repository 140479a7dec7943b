import type { ConfigKey, ScopeId } from "../ids.ts"
import type { Json } from "../json.ts"

/**
 * What holds between the configs of a tenant × environment: a condition in JSON Logic over the effective configuration,
 * asked only where `when` holds. Exactly one of `require` and `forbid` is there.
 */
export interface Rule {
  id: string
  /** For whoever breaks it: what is asked, and why. */
  description: string
  when?: Json
  require?: Json
  forbid?: Json
}

/** A rule, and whose it is. */
export interface ScopedRule {
  scope: ScopeId
  rule: Rule
}

/** Why a rule does not hold, without a word of any value. */
export interface BrokenRule extends ScopedRule {
  /** All that it is about. */
  keys: readonly ConfigKey[]
  /** Where it could not be evaluated. */
  failure?: string
}

/** How many a scope may have in one environment, how long they are together as canonical JSON, and how many configs one is about. */
export const RULES_MAX = 100
export const RULES_BYTES_MAX = 32 * 1_024
export const RULE_KEYS_MAX = 50
