import type { Route } from "../../http/route.ts"
import type { ManageDeps } from "../deps.ts"
import { erasureRoutes } from "../erasure.ts"
import { limitRoutes } from "../limits.ts"
import { reloadRoute } from "../reload.ts"
import { tenantRoutes } from "../tenants.ts"
import { tokenRoutes } from "../tokens.ts"
import { whoamiRoute } from "../whoami.ts"

export const routes = (deps: ManageDeps): Route[] => [
  ...tenantRoutes(deps),
  ...erasureRoutes(deps),
  ...tokenRoutes(deps),
  whoamiRoute(deps),
  reloadRoute(deps),
  ...limitRoutes(deps),
]
