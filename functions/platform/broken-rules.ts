import type { LayerPolicy } from "../../core/change/scope-state.ts"
import type { Arm } from "../../core/release/arms.ts"
import { brokenAmong, keysOfRule } from "../../core/rule/evaluate.ts"
import type { BrokenRule, Rule, ScopedRule } from "../../core/rule/rule.ts"
import type { Runner } from "../../db/client.ts"
import { mergedOf, readArms } from "./layers.ts"
import type { Target } from "./stable.ts"

/** Those of all layers, farthest first. */
export const rulesOf = (layers: readonly LayerPolicy[]): ScopedRule[] =>
  layers.flatMap(({ scope, document }) => (document.rules ?? []).map((rule) => ({ scope, rule })))

/** Those of the rules that do not hold for readers of the scope as it is now, and on which arms. */
export const brokenNow = async (
  deps: { db: Runner },
  target: Target,
  rules: readonly ScopedRule[],
): Promise<(BrokenRule & { arms: Arm[] })[]> => {
  if (rules.length === 0) return []
  const keys = [...new Set(rules.flatMap(({ rule }) => keysOfRule(rule)))]
  const broken = new Map<Rule, BrokenRule & { arms: Arm[] }>()
  for (const layered of await readArms(deps, target)) {
    const merged = mergedOf(await layered.entriesOf(keys))
    for (const one of brokenAmong(rules, (key) => merged.get(key)?.value))
      broken.set(one.rule, { ...one, arms: [...(broken.get(one.rule)?.arms ?? []), layered.arm] })
  }
  return [...broken.values()]
}
