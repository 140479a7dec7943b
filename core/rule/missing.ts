import type { ConfigKey } from "../ids.ts"
import { canonical, type Json } from "../json.ts"
import { keysOfRule } from "./evaluate.ts"
import type { Rule, ScopedRule } from "./rule.ts"

/** A rule that is in force at one place and not at another. */
export interface MissingRule extends ScopedRule {
  /** All that it is about. */
  keys: readonly ConfigKey[]
  /** What there is in its stead: nothing, or one of the same id that says another. */
  there: "none" | "other"
}

const nameOf = ({ scope, rule }: ScopedRule): string => canonical([scope, rule.id])
const textOf = (rule: Rule): string => canonical(rule as unknown as Json)

/** Of the rules about one of these keys those that the other place lacks. */
export const rulesMissing = (
  rules: readonly ScopedRule[],
  there: readonly ScopedRule[],
  keys: readonly ConfigKey[],
): MissingRule[] => {
  const known = new Map(there.map((one) => [nameOf(one), textOf(one.rule)]))
  const wanted = new Set(keys)
  return rules.flatMap((one) => {
    const about = keysOfRule(one.rule)
    const other = known.get(nameOf(one))
    if (other === textOf(one.rule) || !about.some((key) => wanted.has(key))) return []
    return [{ ...one, keys: about, there: other === undefined ? "none" : "other" }]
  })
}
