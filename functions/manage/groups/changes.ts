import type { Route } from "../../http/route.ts"
import { actionRoutes } from "../actions.ts"
import { approvalRoutes } from "../approvals.ts"
import { changeRoutes } from "../changes.ts"
import { configRoutes } from "../configs.ts"
import type { ManageDeps } from "../deps.ts"
import { environmentRoutes } from "../environments.ts"
import { explainRoute } from "../explain.ts"
import { flagRoutes } from "../flags.ts"
import { policyRoutes } from "../policy.ts"
import { promoteRoute } from "../promote.ts"
import { ruleRoutes } from "../rules.ts"
import { checkRulesRoute } from "../rules-check.ts"
import { secretRoute } from "../secret.ts"
import { rotateKeysRoute } from "../secret-keys.ts"
import { signalRoutes } from "../signals.ts"
import { versionRoutes } from "../versions.ts"

export const routes = (deps: ManageDeps): Route[] => [
  ...configRoutes(deps),
  ...versionRoutes(deps),
  explainRoute(deps),
  ...flagRoutes(deps),
  secretRoute(deps),
  rotateKeysRoute(deps),
  promoteRoute(deps),
  ...changeRoutes(deps),
  ...actionRoutes(deps),
  ...approvalRoutes(deps),
  ...signalRoutes(deps),
  ...policyRoutes(deps),
  ...ruleRoutes(deps),
  checkRulesRoute(deps),
  ...environmentRoutes(deps),
]
