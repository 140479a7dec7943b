import type { Request, RequestHandler } from "express"
import { TenantContext } from "../context.ts"
import { answerWith, incomingOf, serveIn } from "./node-events.ts"
import { begin, type TenantOptions } from "./serve.ts"

export type { RequestMetric, TenantOptions, TenantSource } from "./serve.ts"

/** For Express 4 and 5: gives each request its tenant context, and whoever may not have one a problem document. */
export const withTenant =
  (options: TenantOptions<Request>): RequestHandler =>
  (request, response, next) => {
    begin(options, incomingOf(request, request.originalUrl)).then(
      (begun) => {
        if (begun.kind === "refused") answerWith(response, begun.answer)
        else serveIn(begun, request, response, () => routeOf(request), next)
      },
      (error: unknown) => next(error),
    )
  }

/** Where a router is mounted is told as it was sent: the tenant in it must not make a route of its own. */
const routeOf = (request: Request): string | null => {
  // Express takes the first away again when it breaks an answer off.
  const { baseUrl = "", route } = request as { baseUrl?: string; route?: { path: unknown } }
  if (route === undefined) return null
  const tenantId = TenantContext.find(request)?.tenantId
  const mounted = baseUrl.split("/").map((segment) => (segment === tenantId ? ":tenantId" : segment))
  return `${mounted.join("/")}${String(route.path)}`
}
