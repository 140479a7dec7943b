import { Refusal } from "../../core/errors.ts"
import { ofrepRefusal } from "../../core/flag/ofrep.ts"
import { parseTenantId, type TenantId } from "../../core/ids.ts"
import { parseRevision } from "../../core/release/revision.ts"
import { type Answers, armFor, type Body, createAnswers, isKnown, viewResponse } from "./answers.ts"
import { dropBody } from "./body.ts"
import { createCrossOrigin } from "./cross-origin.ts"
import { stepText } from "./difference.ts"
import { isFailure, type Loaded, loadWithFallbacks } from "./fallbacks.ts"
import { forward } from "./forward.ts"
import { createLastKnownGood } from "./last-known-good.ts"
import { createOfrep } from "./ofrep.ts"
import { createOfrepStream } from "./ofrep-stream.ts"
import { createOrigin } from "./origin.ts"
import type { Arm, HeldPointer } from "./pointer.ts"
import { createPointers, type Pointers, type Reading } from "./pointers.ts"
import { createPush } from "./push.ts"
import { createReaders, type Reader, seesTenant } from "./readers.ts"
import {
  configNotFound,
  methodNotAllowed,
  originUnavailable,
  otherEnvironment,
  problemResponse,
  routeUnknown,
  tenantNotFound,
  tenantSuspended,
  unauthenticated,
} from "./refusals.ts"
import {
  createRouter,
  OFREP_PATH,
  type OfrepRequest,
  OUTCOMES_PATHS,
  ROUTE_PATH,
  type Route,
  VIEWS_PATH,
  type ViewRequest,
} from "./route.ts"
import { type Bindings, type RequestLife, readSettings, type Settings } from "./runtime.ts"
import { type Scope, scopeOf } from "./scope.ts"
import { SECURITY_HEADERS } from "./security.ts"
import { createSend } from "./send.ts"
import { createStreams } from "./stream.ts"
import type { OpenRoom } from "./stream-hub.ts"
import { openRoom as openRoomWith } from "./stream-room.ts"
import { createTicketSigner } from "./ticket-signer.ts"
import { createTracing, hopOf, noteRoute } from "./tracing.ts"
import { createEdgeUsage } from "./usage.ts"
import { type Caller, createViews } from "./views.ts"

/** Everything one isolate keeps in memory, wired once. */
export interface Edge {
  answer(request: Request, life: RequestLife): Promise<Response>
  openRoom: OpenRoom
}

interface Parts {
  pointers: Pointers
  answers: Answers
}

const VIEW_ROUTE = `${VIEWS_PATH}{tenantId}`
const FLAGS_ROUTE = `${OFREP_PATH}v1/evaluate/flags`
const FLAG_ROUTE = `${FLAGS_ROUTE}/{key}`

/** Whose flags are asked for, if that is one whom the reader may know of. */
const tenantAsked = (request: Request, reader: Reader): TenantId | null => {
  const named = request.headers.get("x-tenant-id")
  if (named !== null) {
    const tenantId = parseTenantId(named)
    return tenantId !== null && seesTenant(reader, tenantId) ? tenantId : null
  }
  const [only, ...others] = reader.tenants === "*" ? [] : reader.tenants
  return others.length === 0 ? (only ?? null) : null
}

const callerOf = (request: Request, life: RequestLife): Caller => ({
  waitUntil: (promise) => life.waitUntil(promise),
  hop: (name) => hopOf(request, life, name),
})

/** Whoever may not read this is told so before anything is looked up. */
const refusalBefore = (asked: ViewRequest, reader: Reader): Refusal | null => {
  if (!seesTenant(reader, asked.tenantId)) return tenantNotFound(asked.tenantId)
  if (asked.environment !== null && asked.environment !== reader.environment)
    return otherEnvironment(reader.environment)
  return null
}

const refusalAfter = ({ pointer }: Reading, asked: ViewRequest, reader: Reader): Refusal | null => {
  if (pointer.revoked.has(reader.tokenId)) return unauthenticated()
  if (pointer.document.status === "suspended") return tenantSuspended(asked.tenantId)
  return null
}

const failureOf = (failure: "absent" | "unreachable", asked: ViewRequest): Response =>
  problemResponse(failure === "absent" ? tenantNotFound(asked.tenantId) : originUnavailable())

/** A revision that the client was told of, and will not go back from. */
const AT_LEAST = "hotswap-at-least"

const pointerFor = (pointers: Pointers, scope: Scope, request: Request, caller: Caller) => {
  const wanted = parseRevision(request.headers.get(AT_LEAST) ?? "")
  if (wanted) return pointers.reach(scope, wanted, caller)
  return pointers.ready(scope, caller) ?? pointers.obtain(scope, caller)
}

const answerView = async (
  parts: Parts,
  request: Request,
  asked: ViewRequest,
  reader: Reader,
  life: RequestLife,
  seen: { isHit: boolean | null },
): Promise<Response> => {
  const refused = refusalBefore(asked, reader)
  if (refused) return problemResponse(refused)
  const scope = scopeOf(asked.tenantId, reader.environment)
  const caller = callerOf(request, life)
  const asking = pointerFor(parts.pointers, scope, request, caller)
  // A promise would cost every read of what is in memory a turn.
  seen.isHit = !(asking instanceof Promise)
  const found = asking instanceof Promise ? await asking : asking
  if (typeof found === "string") return failureOf(found, asked)
  const revoked = refusalAfter(found, asked, reader)
  if (revoked) return problemResponse(revoked)

  const arm = armFor(found.pointer, asked)
  if (isKnown(request.headers.get("if-none-match"), arm.etag)) return viewResponse(arm, found, null)
  const prepared = parts.answers.fromMemory(scope, found.pointer, arm, asked)
  if (prepared !== undefined) return bodyResponse(asked, { reading: found, arm, found: prepared })
  const armOf = (pointer: HeldPointer) => armFor(pointer, asked)
  const load = (pointer: HeldPointer, of: Arm) => parts.answers.load(scope, pointer, of, asked, caller)
  return bodyResponse(asked, await loadWithFallbacks(parts.pointers, scope, found, armOf, load, caller))
}

const bodyResponse = (asked: ViewRequest, { reading, arm, found }: Loaded<Body>): Response => {
  if (isFailure(found)) return problemResponse(originUnavailable())
  if (found === "no such key") return problemResponse(configNotFound(asked.key!))
  return viewResponse(arm, reading, found)
}

const HEALTH_HEADERS = {
  ...SECURITY_HEADERS,
  "content-type": "application/json; charset=utf-8",
  "cache-control": "no-store",
}
const health = ({ WORKER_VERSION: version }: Bindings): Response =>
  new Response('{"status":"ok"}', {
    headers: version ? { ...HEALTH_HEADERS, "hotswap-worker-version": version.id } : HEALTH_HEADERS,
  })

/** What the routes take that pages may call; the first two as they always did. */
const METHODS = {
  view: "GET, HEAD, OPTIONS",
  stream: "GET, HEAD, OPTIONS",
  ofrep: "POST, OPTIONS",
  ofrepStream: "GET, OPTIONS",
} as const
type ForPages = Extract<Route, { kind: keyof typeof METHODS }>
const isForPages = (route: Route): route is ForPages => Object.hasOwn(METHODS, route.kind)

/** An X-Tenant-ID that is not the path's name may be a contradiction or an external id: the origin knows. */
const isPlain = (request: Request, asked: ViewRequest | OfrepRequest): boolean => {
  const named = request.headers.get("x-tenant-id")
  if (asked.kind === "ofrep") return named === null || parseTenantId(named) !== null
  return named === null || named === asked.tenantId
}

const ofrepProblem = async (request: Request, refusal: Refusal, { key }: OfrepRequest): Promise<Response> => {
  await dropBody(request)
  const instance = crypto.randomUUID()
  const { status, headers, body } = ofrepRefusal(refusal, key, instance)
  return new Response(body, {
    status,
    headers: { ...SECURITY_HEADERS, ...headers, "hotswap-request-id": instance },
  })
}

/** What the work answers, or the refusal that it throws. */
const orRefusal = async (
  work: Promise<Response>,
  refused: (refusal: Refusal) => Response | Promise<Response>,
): Promise<Response> => {
  try {
    return await work
  } catch (error) {
    if (error instanceof Refusal) return await refused(error)
    throw error
  }
}

/** Whatever the method: who serves the path also says which methods it takes. */
const originOf = (pathname: string, settings: Settings): string => {
  if (pathname.startsWith(VIEWS_PATH) || pathname.startsWith(OFREP_PATH)) return settings.readOrigin
  if (pathname.startsWith(ROUTE_PATH)) return settings.routerOrigin
  return OUTCOMES_PATHS.includes(pathname) ? settings.outcomesOrigin : settings.manageOrigin
}

export const createEdge = (bindings: Bindings): Edge => {
  const settings = readSettings(bindings)
  const send = createSend(settings)
  const origin = createOrigin(settings, send)
  const deadlineMs = settings.originDeadlineMs
  const views = createViews(origin, deadlineMs)
  const lastKnownGood = createLastKnownGood(bindings.LAST_KNOWN_GOOD)
  const pointers = createPointers({ origin, views, lastKnownGood, deadlineMs })
  const parts: Parts = { pointers, answers: createAnswers(views) }
  const routeOf = createRouter(settings.environments)
  const judge = createReaders(settings.readerKeys, settings.environments)
  const push = createPush(bindings.STREAM_HUB, settings)
  const openRoom: OpenRoom = (scope, caller) =>
    openRoomWith({ pointers, scope, caller, stepOf: (before, next) => stepText(views, scope, before, next) })
  const streams = createStreams({ ...settings, pointers, push, openRoom })
  const sign = createTicketSigner(settings.secret)
  const ofrep = createOfrep({ pointers, views, sign })
  const openOfrepStream = createOfrepStream({ streams, sign, environments: settings.environments })
  const crossOrigin = createCrossOrigin(settings.corsOrigins)
  const usage = createEdgeUsage(settings, send)

  const pass = async (request: Request, life: RequestLife): Promise<Response> => {
    const { pathname, search } = new URL(request.url)
    const target = originOf(pathname, settings) + pathname + search
    return await forward(request, target, settings, send, hopOf(request, life, request.method))
  }

  /** `null`: that is for the origin to answer. */
  const answer = async (request: Request, route: ForPages, life: RequestLife): Promise<Response | null> => {
    const { method } = request
    const authorization = request.headers.get("authorization")
    switch (route.kind) {
      case "stream":
        if (method !== "GET") return null
        return await streams.open(request, await judge(authorization), callerOf(request, life))
      case "ofrepStream":
        // There is no origin for it, nor is a ticket for anybody's log.
        if (method !== "GET") return methodNotAllowed(method, METHODS.ofrepStream)
        return await orRefusal(
          openOfrepStream(request, route.ticket, callerOf(request, life)),
          problemResponse,
        )
      case "view": {
        if (method !== "GET" && method !== "HEAD") return null
        const reader = await judge(authorization)
        if (reader === "invalid") return problemResponse(unauthenticated())
        if (reader === "elsewhere" || !isPlain(request, route)) return null
        const startedMs = Date.now()
        const seen: { isHit: boolean | null } = { isHit: null }
        const response = await answerView(parts, request, route, reader, life, seen)
        const { tenantId } = route
        if (seesTenant(reader, tenantId))
          usage.answered(
            { tenantId, route: VIEW_ROUTE, method, reader, ...seen },
            response.status,
            startedMs,
            life,
          )
        if (seen.isHit === null) usage.refused(reader, life)
        return response
      }
      case "ofrep": {
        if (method !== "POST") return null
        const reader = await judge(authorization)
        if (reader === "invalid") return await ofrepProblem(request, unauthenticated(), route)
        if (reader === "elsewhere" || !isPlain(request, route)) return null
        const startedMs = Date.now()
        const evaluated = ofrep(request, route, reader, callerOf(request, life))
        const response = await orRefusal(evaluated, (refusal) => ofrepProblem(request, refusal, route))
        const tenantId = tenantAsked(request, reader)
        const asked = { route: route.key === null ? FLAGS_ROUTE : FLAG_ROUTE, method, reader, isHit: null }
        if (tenantId === null) usage.refused(reader, life)
        else usage.answered({ tenantId, ...asked }, response.status, startedMs, life)
        return response
      }
    }
  }

  const answerAny: Edge["answer"] = async (request, life) => {
    const { method } = request
    const route = routeOf(request.url)
    noteRoute(life, method, route)
    if (route.kind === "health" && (method === "GET" || method === "HEAD")) return health(bindings)
    if (route.kind === "hidden") return problemResponse(routeUnknown(route.path))
    if (!isForPages(route)) return await pass(request, life)
    if (method === "OPTIONS") return crossOrigin.options(request, METHODS[route.kind])
    return crossOrigin.allow(request, (await answer(request, route, life)) ?? (await pass(request, life)))
  }
  const withSpan = createTracing(bindings)
  const answerTraced: Edge["answer"] = (request, life) =>
    withSpan!(request, life, (own) => answerAny(request, own))
  return { answer: withSpan === null ? answerAny : answerTraced, openRoom }
}
