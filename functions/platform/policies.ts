import { effectivePolicy } from "../../core/change/effective-policy.ts"
import type { Policy } from "../../core/change/policy.ts"
import type { Commit, LayerPolicy, ScopeState } from "../../core/change/scope-state.ts"
import type { Environment } from "../../core/environment.ts"

interface Declared {
  settings: { readonly environments: readonly Environment[] }
}
type Of = Pick<ScopeState, "scope" | "environment" | "policies">

/** The policy in force, of every layer that the scope stands on. */
export const policyIn = ({ settings }: Declared, { scope, environment, policies }: Of): Policy =>
  effectivePolicy(scope, environment, settings.environments, policies)

/** The layers as a commit leaves them: it may have altered the scope's own. */
export const policiesAfter = ({ state, commit }: { state: Of; commit: Commit }): readonly LayerPolicy[] => {
  if (commit.policy === undefined) return state.policies
  const inherited = state.policies.filter(({ scope }) => scope !== state.scope)
  return commit.policy === null ? inherited : [...inherited, { scope: state.scope, ...commit.policy }]
}

/** The policy that is in force once the commit is made. */
export const policyAfter = (declared: Declared, decided: { state: Of; commit: Commit }): Policy =>
  policyIn(declared, { ...decided.state, policies: policiesAfter(decided) })
