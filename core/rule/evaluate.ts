import { compileRule } from "../flag/logic.ts"
import { truthy } from "../flag/operators.ts"
import { type Run, refillWork } from "../flag/run.ts"
import type { ConfigKey } from "../ids.ts"
import type { Json } from "../json.ts"
import { parseReference, partOf, resolved } from "./references.ts"
import type { BrokenRule, Rule, ScopedRule } from "./rule.ts"

/** The value that a key has in the effective configuration; `undefined`: it is not there. */
export type ValueAt = (key: ConfigKey) => Json | undefined

/** Conditions with variables for what they refer to, and what these refer to. */
interface Plan {
  when: Json
  asked: Json
  isForbidden: boolean
  /** References by the name of their variable. */
  variables: ReadonlyMap<string, string>
}

const planOf = ({ when = true, require, forbid }: Rule): Plan => {
  const names = new Map<string, string>()
  const nameOf = (reference: Json): string => {
    const text = String(reference)
    const name = names.get(text) ?? `v${names.size}`
    names.set(text, name)
    return name
  }
  return {
    when: resolved(when, nameOf),
    asked: resolved(require ?? forbid ?? null, nameOf),
    isForbidden: require === undefined,
    variables: new Map([...names].map(([text, name]) => [name, text])),
  }
}

/** The configs that a rule is about. */
export const keysOfRule = (rule: Rule): ConfigKey[] => [
  ...new Set([...planOf(rule).variables.values()].flatMap((text) => parseReference(text)?.key ?? [])),
]

const compiled = (condition: Json): Run =>
  compileRule(condition, { flagKey: "", evaluators: {}, isRoot: true })

/** Makes the conditions ready; throws where that cannot be. */
export const tryRule = (rule: Rule): void => {
  const { when, asked } = planOf(rule)
  refillWork()
  compiled(when)
  compiled(asked)
}

/**
 * Which of the rules do not hold, in their order. Never throws: one that cannot be evaluated does not hold. What they may cost
 * together is bounded, however many there are.
 */
export const brokenAmong = (rules: readonly ScopedRule[], valueAt: ValueAt): BrokenRule[] => {
  refillWork()
  return rules.flatMap(({ scope, rule }) => {
    const keys = keysOfRule(rule)
    try {
      return holds(rule, valueAt) ? [] : [{ scope, rule, keys }]
    } catch (error) {
      return [{ scope, rule, keys, failure: (error as Error).message }]
    }
  })
}

const holds = (rule: Rule, valueAt: ValueAt): boolean => {
  const { when, asked, isForbidden, variables } = planOf(rule)
  const data: Record<string, Json> = {}
  for (const [name, text] of variables) {
    const { key, steps } = parseReference(text)!
    data[name] = partOf(valueAt(key), steps)
  }
  const isTrue = (condition: Json): boolean => truthy(compiled(condition)(data, 0))
  return !isTrue(when) || isTrue(asked) !== isForbidden
}
