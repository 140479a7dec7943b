import type { Route } from "../../http/route.ts"
import { channelRoutes } from "../channels.ts"
import { deliveryRoutes } from "../deliveries.ts"
import type { ManageDeps } from "../deps.ts"

export const routes = (deps: ManageDeps): Route[] => [...channelRoutes(deps), ...deliveryRoutes(deps)]
