import { OpenAPIHono } from "@hono/zod-openapi"
import type { Context } from "hono"
import { handle } from "hono/aws-lambda"
import { secureHeaders } from "hono/secure-headers"
import { type Principal, sees } from "../../core/access.ts"
import { Refusal } from "../../core/errors.ts"
import type { ScopeId } from "../../core/ids.ts"
import { authenticate, type Door } from "./auth.ts"
import { readText } from "./body.ts"
import type { FunctionUrlEvent, FunctionUrlHandler, FunctionUrlResult } from "./events.ts"
import { type ProblemLog, problemReply } from "./problem.ts"
import { type Knock, type Route, type RouteReply, tenantNotFound } from "./route.ts"

export interface AppDeps {
  door: Door
  log: ProblemLog
  newId(): string
  /** A slug, a scope's name, or an external id `system:id`, as the scope it names. */
  resolveScope(text: string): Promise<ScopeId | null>
  /** Is there such a scope, and is it not deleted? */
  exists(scope: ScopeId): Promise<boolean>
}

type Bindings = { Bindings: { event?: FunctionUrlEvent }; Variables: { instance: string } }
export type App = OpenAPIHono<Bindings>

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]

/** Enough for the pages of the reference, which load only from here. */
const CONTENT_POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'", "'unsafe-inline'"],
  imgSrc: ["'self'", "data:"],
  connectSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
}

const singleQuery = (url: string): Record<string, string> => {
  const query: Record<string, string> = {}
  for (const [name, value] of new URL(url).searchParams) {
    if (Object.hasOwn(query, name))
      throw new Refusal("QUERY_INVALID", `Not as expected: ${name}.`, {
        errors: [{ path: name, message: "It is given twice." }],
      })
    query[name] = value
  }
  return query
}

const knockOf = async (context: Context<Bindings>, deps: AppDeps): Promise<Knock> => {
  const request = context.req
  const resolve = async (principal: Principal): Promise<ScopeId | null> => {
    const named = request.header("x-tenant-id")
    if (named === undefined) return null
    const scope = await deps.resolveScope(named)
    if (!scope || !sees(principal, scope)) throw tenantNotFound(named)
    return scope
  }
  return {
    method: request.method,
    url: request.url,
    params: request.param(),
    query: singleQuery(request.url),
    // The adapter leaves out headers that are empty; what is empty by mistake is to be told so.
    header: (name) => request.header(name) ?? context.env?.event?.headers[name],
    text: request.method === "GET" ? "" : await readText(request.raw),
    instance: context.get("instance"),
    principal: async () => await authenticate(deps.door, request.header("authorization")),
    headerScope: resolve,
    exists: (scope) => deps.exists(scope),
  }
}

const respond = ({
  status,
  headers,
  body,
}: Omit<RouteReply, "body"> & { body: RouteReply["body"] }): Response =>
  new Response(body as ConstructorParameters<typeof Response>[0], {
    status,
    headers: { "cache-control": "no-store", ...headers },
  })

const allowedMethods = (app: App, path: string): string[] =>
  METHODS.filter((method) => app.router.match(method, path)[0].some(([[, route]]) => route.method === method))

const unknownRoute = (app: App, method: string, path: string): { refusal: Refusal; allow: string[] } => {
  const allow = allowedMethods(app, path)
  return allow.length === 0
    ? { refusal: new Refusal("ROUTE_UNKNOWN", `There is no route ${path}.`), allow }
    : { refusal: new Refusal("METHOD_NOT_ALLOWED", `${path} does not take ${method}.`), allow }
}

/** The door every route stands behind: ids, headers, problems. The routes' order does not matter. */
export const createApp = (deps: AppDeps, routes: readonly Route[]): App => {
  const app: App = new OpenAPIHono<Bindings>({ strict: false })
  app.use(async (context, next) => {
    const instance = context.env?.event?.requestContext.requestId ?? deps.newId()
    context.set("instance", instance)
    await next()
    context.res.headers.set("hotswap-request-id", instance)
  })
  app.use(secureHeaders({ contentSecurityPolicy: CONTENT_POLICY, xFrameOptions: "DENY" }))
  app.onError((error, context) => respond(problemReply(error, context.get("instance"), deps.log)))
  app.notFound((context) => {
    const { refusal, allow } = unknownRoute(app, context.req.method, context.req.path)
    const reply = problemReply(refusal, context.get("instance"), deps.log)
    return respond(
      allow.length > 0 ? { ...reply, headers: { ...reply.headers, allow: allow.join(", ") } } : reply,
    )
  })
  for (const route of routes) {
    app.openAPIRegistry.registerPath(route.reference)
    app.on(route.method.toUpperCase(), route.path.replaceAll(/\{(.+?)\}/g, ":$1"), async (context) =>
      respond(await route.handle(await knockOf(context, deps))),
    )
  }
  return app
}

/** The app as a function URL calls it. A body on a GET means nothing, and `Request` would not take it. */
export const functionUrlHandler = (app: App): FunctionUrlHandler => {
  const inner = handle(app)
  return async (event, context) => {
    const { body: _needless, ...bodiless } = event
    const reads = event.requestContext.http.method === "GET" || event.requestContext.http.method === "HEAD"
    const result = await inner((reads ? bodiless : event) as never, context as never)
    return result as unknown as FunctionUrlResult
  }
}
