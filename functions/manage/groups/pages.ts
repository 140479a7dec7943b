import type { Route } from "../../http/route.ts"
import { consoleRoutes } from "../console.ts"
import type { ManageDeps } from "../deps.ts"
import { docsRoutes } from "../docs.ts"
import type { PageDeps } from "../route-table.ts"

export const routes = ({ reference, ping, ...deps }: ManageDeps & PageDeps): Route[] => [
  ...consoleRoutes(deps),
  ...docsRoutes(reference, ping),
]
