import type { Route } from "../../http/route.ts"
import type { ManageDeps } from "../deps.ts"
import { metricsRoute } from "../metrics.ts"
import { usageRoutes } from "../usage.ts"

export const routes = (deps: ManageDeps): Route[] => [...usageRoutes(deps), metricsRoute(deps)]
