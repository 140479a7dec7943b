import type { Environment } from "../environment.ts"
import type { GateThresholds } from "../gate/thresholds.ts"
import type { ScopeId } from "../ids.ts"
import { FULL_BP } from "../release/bucket.ts"
import type { Strategy, StrategyType } from "./change.ts"
import { isSuitable, suits } from "./plan.ts"
import { DEFAULT_CANARY, defaultPolicy, type Policy, type PolicyDocument } from "./policy.ts"
import type { LayerPolicy } from "./scope-state.ts"

/** What one layer says, by name; absent is nothing. */
type Say = Readonly<Record<string, unknown>>

/**
 * The policy in force: the defaults, over which the layers are laid, farthest first. The nearest wins member by member
 * (those of `gate` too), unless a farther layer has its document locked; of several locks the farthest holds.
 * A strategy, or a list of allowed ones, that does not suit the scope is for others who inherit it, and passed over.
 */
export const effectivePolicy = (
  scope: ScopeId,
  environment: Environment,
  environments: readonly Environment[],
  layers: readonly LayerPolicy[],
): Policy => {
  const { gate: gateDefaults, ...defaults } = defaultPolicy(scope, environment, environments)
  const documents = layers.map(({ locked, document }) => ({ locked, document: forScope(document, scope) }))
  const members = overlaid(
    defaults,
    documents.map(({ locked, document: { gate: _, rules: _rules, ...say } }) => ({ locked, say })),
  )
  const gate = overlaid<GateThresholds>(
    gateDefaults,
    documents.map(({ locked, document }) => ({ locked, say: { ...document.gate } })),
  )
  return { ...members, strategy: permittedOf(members, scope), gate }
}

/** For changes that name none. One that the list forbids would have each of them refused: then it is the first that it allows. */
const permittedOf = (
  { strategy, allowedStrategies }: Pick<Policy, "strategy" | "allowedStrategies">,
  scope: ScopeId,
): Strategy => {
  if (allowedStrategies.includes(strategy.type)) return strategy
  const type = allowedStrategies.find((one) => isSuitable(one, scope))
  return type === undefined ? strategy : USUAL[type]
}

const USUAL: Readonly<Record<StrategyType, Strategy>> = {
  direct: { type: "direct" },
  canary: DEFAULT_CANARY,
  blue_green: { type: "blue_green" },
  rolling: { type: "rolling", waves: [{ weightBp: FULL_BP }] },
}

/** What a layer's document says to a scope that stands on it. */
export const forScope = (document: PolicyDocument, scope: ScopeId): PolicyDocument => {
  const { strategy, allowedStrategies, ...rest } = document
  return {
    ...rest,
    ...(strategy && suits(strategy, scope) ? { strategy } : {}),
    ...(allowedStrategies?.some((type) => isSuitable(type, scope)) ? { allowedStrategies } : {}),
  }
}

const overlaid = <Members extends object>(
  defaults: Members,
  layers: readonly { locked: boolean; say: Say }[],
): Members => {
  const members = { ...defaults } as Record<string, unknown>
  const held = new Set<string>()
  for (const { locked, say } of layers)
    for (const name of Object.keys(say)) {
      if (say[name] === undefined || held.has(name)) continue
      members[name] = say[name]
      if (locked) held.add(name)
    }
  return members as Members
}
