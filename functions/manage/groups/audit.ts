import type { Route } from "../../http/route.ts"
import { auditRoutes } from "../audit.ts"
import type { ManageDeps } from "../deps.ts"
import { personRoutes } from "../erasure-person.ts"
import { reviewRoute } from "../report-reviews.ts"
import { reportRoutes } from "../reports.ts"

export const routes = (deps: ManageDeps): Route[] => [
  ...auditRoutes(deps),
  ...reportRoutes(deps),
  reviewRoute(deps),
  ...personRoutes(deps),
]
