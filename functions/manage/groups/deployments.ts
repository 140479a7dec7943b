import type { Route } from "../../http/route.ts"
import { deploymentRoutes } from "../deployments.ts"
import type { ManageDeps } from "../deps.ts"

export const routes = (deps: ManageDeps): Route[] => deploymentRoutes(deps)
