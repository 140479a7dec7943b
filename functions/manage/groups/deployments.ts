import type { Route } from "../../http/route.ts"
import { deploymentRoutes } from "../deployments.ts"
import type { ManageDeps } from "../deps.ts"
import { provisioningRoutes } from "../provisioning.ts"
import { provisioningTemplateRoutes } from "../provisioning-template.ts"

export const routes = (deps: ManageDeps): Route[] => [
  ...deploymentRoutes(deps),
  ...provisioningRoutes(deps),
  ...provisioningTemplateRoutes(deps),
]
