import type { Route } from "../../http/route.ts"
import { docsRoutes } from "../docs.ts"
import type { PageDeps } from "../route-table.ts"

export const routes = ({ reference, ping }: PageDeps): Route[] => docsRoutes(reference, ping)
