import type { Environment } from "../environment.ts"
import type { GateThresholds } from "../gate/thresholds.ts"
import type { ScopeId } from "../ids.ts"
import { isSuitable, suits } from "./plan.ts"
import { defaultPolicy, type Policy, type PolicyDocument } from "./policy.ts"
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
    documents.map(({ locked, document: { gate: _, ...say } }) => ({ locked, say })),
  )
  const gate = overlaid<GateThresholds>(
    gateDefaults,
    documents.map(({ locked, document }) => ({ locked, say: { ...document.gate } })),
  )
  return { ...members, gate }
}

const forScope = (document: PolicyDocument, scope: ScopeId): PolicyDocument => {
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
