import type { LayerPolicy } from "../../core/change/scope-state.ts"
import type { Environment } from "../../core/environment.ts"
import type { ScopeId } from "../../core/ids.ts"
import type { Runner } from "../open.ts"
import { textQuery } from "../text-query.ts"

const policies = textQuery<{ policies: string }>("select hotswap.read_policies($1, $2) as policies", [
  "scope",
  "environment",
])

/** The policies of the layers a scope stands on and its own, farthest first; layers that have none are left out. */
export const readPolicies = async (
  runner: Runner,
  scope: ScopeId,
  environment: Environment,
): Promise<LayerPolicy[]> => {
  const [row] = await runner.run(policies, { scope, environment })
  return JSON.parse(row!.policies) as LayerPolicy[]
}
