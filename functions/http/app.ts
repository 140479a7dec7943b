import { type Context, Hono } from "hono"
import { handle } from "hono/aws-lambda"
import { secureHeaders } from "hono/secure-headers"
import { type Action, PERMISSIONS, type Principal, sees } from "../../core/access.ts"
import { PROBLEMS, Refusal } from "../../core/errors.ts"
import type { ScopeId } from "../../core/ids.ts"
import { problemDocument, problemHeaders } from "../../core/problem.ts"
import type { Attempts } from "../platform/attempts.ts"
import type { UsageRecorder } from "../platform/usage.ts"
import { authenticate, type Door } from "./auth.ts"
import { readText } from "./body.ts"
import { crossOrigin } from "./cross-origin.ts"
import { answeredWithin, LIMITS_MS } from "./deadline.ts"
import type { FunctionUrlEvent, FunctionUrlHandler, FunctionUrlResult } from "./events.ts"
import { createFailures, type Failures } from "./failures.ts"
import { type LazyRoute, nameOf } from "./lazy-route.ts"
import { noteRoute } from "./notes.ts"
import { tenantNotFound } from "./permit.ts"
import { type ProblemLog, problemReply } from "./problem.ts"
import type { Knock, Pieces, Route, RouteReply } from "./route.ts"
import { type Asked, askedNow, noteAnswer, noteRefusal, tenantsOf } from "./usage-watch.ts"

export interface AppDeps {
  door: Door
  log: ProblemLog
  newId(): string
  /** What requests with an idempotency key are told apart by. */
  requestKey: Uint8Array
  /** A slug, a scope's name, or an external id `system:id`, as the scope it names. */
  resolveScope(text: string): Promise<ScopeId | null>
  /** Is there such a scope, and is it not deleted? */
  exists(scope: ScopeId): Promise<boolean>
  /** Counts failures to say who one is. */
  attempts: Attempts
  /** Told of everybody who said who they are; throws for who asks too often. */
  admit?: ((principal: Principal, action: Action) => void) | undefined
  /** Counts what is asked of tenants. */
  usage?: UsageRecorder | undefined
  /** What the edge shows with what it says of a caller's address. */
  edgeSecret: string | null
  /** Web pages of these origins may call from a browser. */
  corsOrigins: readonly string[]
  /** Routes that ask nobody who they are, as `GET /health`: every other one must name an action. */
  publicRoutes: readonly string[]
}

type Bindings = { Bindings: { event?: FunctionUrlEvent }; Variables: { instance: string } }
export type App = Hono<Bindings>

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]

/** Enough for the pages of the reference, which load only from here; a page that needs less says so itself. */
const CONTENT_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ")
const POLICY_HEADER = "content-security-policy"

const singleQuery = (url: string): Record<string, string> => {
  // Without a prototype, or a parameter `__proto__` would be lost where every other unknown one is refused.
  const query = Object.create(null) as Record<string, string>
  for (const [name, value] of new URL(url).searchParams) {
    if (Object.hasOwn(query, name))
      throw new Refusal("QUERY_INVALID", `Not as expected: ${name}.`, {
        errors: [{ path: name, message: "It is given twice." }],
      })
    query[name] = value
  }
  return query
}

const knockOf = async (
  context: Context<Bindings>,
  deps: AppDeps,
  failures: Failures,
  asked: Asked,
): Promise<Knock> => {
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
    requestKey: deps.requestKey,
    principal: async (action) => {
      const authorization = request.header("authorization")
      const principal = await failures.watch(context.env?.event, authorization, () =>
        authenticate(deps.door, authorization),
      )
      asked.principal = principal
      deps.admit?.(principal, action)
      return principal
    },
    about: (scope) => {
      if (scope !== null && asked.principal !== null && sees(asked.principal, scope))
        asked.tenants = tenantsOf(scope)
    },
    headerScope: resolve,
    exists: (scope) => deps.exists(scope),
  }
}

/** Answers in pieces, by the event they answer: the adapter would gather them into one text. */
const inPieces = new WeakMap<FunctionUrlEvent, Pieces>()

const isPieces = (body: RouteReply["body"]): body is Pieces =>
  typeof body === "object" && body !== null && Symbol.asyncIterator in body

const respond = ({ status, headers, body }: RouteReply, event?: FunctionUrlEvent): Response => {
  const init = { status, headers: { "cache-control": "no-store", ...headers } }
  if (!isPieces(body)) return new Response(body as ConstructorParameters<typeof Response>[0], init)
  if (event === undefined) return new Response(ReadableStream.from(body) as ReadableStream<Uint8Array>, init)
  inPieces.set(event, body)
  return new Response(null, init)
}

const allowedMethods = (app: App, path: string): string[] =>
  METHODS.filter((method) => app.router.match(method, path)[0].some(([[, route]]) => route.method === method))

const unknownRoute = (app: App, method: string, path: string): { refusal: Refusal; allow: string[] } => {
  const allow = allowedMethods(app, path)
  return allow.length === 0
    ? { refusal: new Refusal("ROUTE_UNKNOWN", `There is no route ${path}.`), allow }
    : { refusal: new Refusal("METHOD_NOT_ALLOWED", `${path} does not take ${method}.`), allow }
}

/** No route that anybody may call by mistake. */
const mustBeInTable = (
  { action, ...route }: Pick<Route, "method" | "path" | "action">,
  { publicRoutes }: AppDeps,
): void => {
  const name = nameOf(route)
  const isKnown = action === null ? publicRoutes.includes(name) : Object.hasOwn(PERMISSIONS, action)
  if (!isKnown) throw new Error(`${name} is neither in the table of permissions nor public`)
}

/** Nothing starts with a route of which another stands in front. */
const mustDiffer = (routes: readonly (Route | LazyRoute)[]): void => {
  const names = new Set<string>()
  for (const name of routes.map(nameOf)) {
    if (names.has(name)) throw new Error(`${name} is declared twice`)
    names.add(name)
  }
}

const settled = async (route: Route | LazyRoute, deps: AppDeps): Promise<Route> => {
  if (!("load" in route)) return route
  const loaded = await route.load()
  mustBeInTable(loaded, deps)
  return loaded
}

/** The door every route stands behind: ids, headers, problems. The routes' order does not matter. */
export const createApp = (deps: AppDeps, routes: readonly (Route | LazyRoute)[]): App => {
  mustDiffer(routes)
  for (const route of routes) if (!("load" in route)) mustBeInTable(route, deps)
  const failures = createFailures(deps)
  const app: App = new Hono<Bindings>({ strict: false })
  app.use(async (context, next) => {
    const instance = context.env?.event?.requestContext.requestId ?? deps.newId()
    context.set("instance", instance)
    await next()
    context.res.headers.set("hotswap-request-id", instance)
  })
  app.use(secureHeaders({ xFrameOptions: "DENY" }))
  app.use(async (context, next) => {
    await next()
    if (!context.res.headers.has(POLICY_HEADER)) context.res.headers.set(POLICY_HEADER, CONTENT_POLICY)
  })
  app.use(crossOrigin(deps.corsOrigins))
  app.onError((error, context) => respond(problemReply(error, context.get("instance"), deps.log)))
  app.notFound((context) => {
    const { refusal, allow } = unknownRoute(app, context.req.method, context.req.path)
    const reply = problemReply(refusal, context.get("instance"), deps.log)
    return respond(
      allow.length > 0 ? { ...reply, headers: { ...reply.headers, allow: allow.join(", ") } } : reply,
    )
  })
  const answerOf = async (route: Route | LazyRoute, context: Context<Bindings>): Promise<RouteReply> => {
    noteRoute(context.req.method, route.path)
    if ("plain" in route && route.plain && new URL(context.req.url).search === "")
      return await answeredWithin(LIMITS_MS.read, route.plain)
    // Its time begins when it is there: only the first to ask waits for that.
    const { limitMs, handle } = await settled(route, deps)
    const { method, path } = route
    const authorization = context.req.header("authorization")
    const asked = askedNow({ route: path, method: method.toUpperCase(), authorization })
    try {
      const answer = await answeredWithin(limitMs, async () =>
        handle(await knockOf(context, deps, failures, asked)),
      )
      noteAnswer(deps.usage, asked, answer.status)
      return answer
    } catch (error) {
      noteRefusal(deps.usage, asked, error)
      throw error
    }
  }
  for (const route of routes)
    app.on(route.method.toUpperCase(), route.path.replaceAll(/\{(.+?)\}/g, ":$1"), async (context) =>
      respond(await answerOf(route, context), context.env?.event),
    )
  return app
}

/** Methods that `Request` does not know, and nobody here does either. */
const UNHEARD_OF = new Set(["CONNECT", "TRACE", "TRACK"])

const notHeard = (event: FunctionUrlEvent): FunctionUrlResult => {
  const { http, requestId } = event.requestContext
  const refusal = new Refusal("METHOD_NOT_ALLOWED", `${http.method} is taken nowhere.`)
  const body = JSON.stringify(problemDocument(refusal, requestId))
  const headers = { ...problemHeaders(refusal.code), allow: METHODS.join(", ") }
  return { statusCode: PROBLEMS[refusal.code].status, headers, body, isBase64Encoded: false }
}

/** The app as a function URL calls it. A body on a GET means nothing, and `Request` would not take it. */
export const functionUrlHandler = (app: App): FunctionUrlHandler => {
  const inner = handle(app)
  return async (event, context) => {
    if (UNHEARD_OF.has(event.requestContext.http.method)) return notHeard(event)
    const { body: _needless, ...bodiless } = event
    const reads = event.requestContext.http.method === "GET" || event.requestContext.http.method === "HEAD"
    const handed = reads ? bodiless : event
    const result = (await inner(handed as never, context as never)) as unknown as FunctionUrlResult
    const pieces = event.requestContext.http.method === "HEAD" ? undefined : inPieces.get(handed)
    return pieces ? { ...result, pieces } : result
  }
}
