import type { Refusal } from "../../core/errors.ts"
import { parseRevision } from "../../core/release/revision.ts"
import { type Answers, armFor, type Body, createAnswers, isKnown, viewResponse } from "./answers.ts"
import { forward } from "./forward.ts"
import { createLastKnownGood } from "./last-known-good.ts"
import { createOrigin, type OriginAnswer } from "./origin.ts"
import type { Arm } from "./pointer.ts"
import { createPointers, type Pointers, type Reading } from "./pointers.ts"
import { createPush } from "./push.ts"
import { createReaders, type Reader, seesTenant } from "./readers.ts"
import {
  configNotFound,
  originUnavailable,
  otherEnvironment,
  problemResponse,
  routeUnknown,
  tenantNotFound,
  tenantSuspended,
  unauthenticated,
} from "./refusals.ts"
import { createRouter, OUTCOMES_PATH, VIEWS_PATH, type ViewRequest } from "./route.ts"
import { type Bindings, type RequestLife, readSettings, type Settings } from "./runtime.ts"
import { type Scope, scopeOf } from "./scope.ts"
import { SECURITY_HEADERS } from "./security.ts"
import { createStreams } from "./stream.ts"
import { type Caller, createViews } from "./views.ts"

/** Everything one isolate keeps in memory, wired once. */
export type Edge = (request: Request, life: RequestLife) => Promise<Response>

interface Parts {
  pointers: Pointers
  answers: Answers
}

const callerOf = (request: Request, life: RequestLife): Caller => ({
  waitUntil: (promise) => life.waitUntil(promise),
  trace: () => request.headers.get("traceparent"),
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

interface Answer {
  reading: Reading
  arm: Arm
  body: OriginAnswer<Body>
}

const isFailure = ({ body }: Answer): boolean => body === "absent" || body === "unreachable"

/** The answer from views that have to be loaded, and from what remains when they cannot be. */
const answerFromViews = async (
  { pointers, answers }: Parts,
  scope: Scope,
  found: Reading,
  asked: ViewRequest,
  caller: Caller,
): Promise<Answer> => {
  const answer = async (reading: Reading, arm = armFor(reading.pointer, asked)): Promise<Answer> => ({
    reading,
    arm,
    body: await answers.load(scope, reading.pointer, arm, asked, caller),
  })
  const first = await answer(found)
  if (!isFailure(first)) return first
  if (first.body === "absent") {
    // The origin has dropped the view: it names another one by now.
    const renewed = await pointers.renew(scope, caller)
    const second = typeof renewed === "string" ? first : await answer(renewed)
    if (!isFailure(second)) return second
  }
  // Without the candidate's view its readers are better off with the stable one than with nothing.
  const stable = await answer(found, found.pointer.stable)
  if (!isFailure(stable)) return stable
  const kept = await pointers.restore(scope, caller)
  return kept ? await answer(kept, kept.pointer.stable) : first
}

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
): Promise<Response> => {
  const refused = refusalBefore(asked, reader)
  if (refused) return problemResponse(refused)
  const scope = scopeOf(asked.tenantId, reader.environment)
  const caller = callerOf(request, life)
  const asking = pointerFor(parts.pointers, scope, request, caller)
  // A promise would cost every read of what is in memory a turn.
  const found = asking instanceof Promise ? await asking : asking
  if (typeof found === "string") return failureOf(found, asked)
  const revoked = refusalAfter(found, asked, reader)
  if (revoked) return problemResponse(revoked)

  const arm = armFor(found.pointer, asked)
  if (isKnown(request.headers.get("if-none-match"), arm.etag)) return viewResponse(arm, found, null)
  const prepared = parts.answers.fromMemory(scope, found.pointer, arm, asked)
  const answer =
    prepared === undefined
      ? await answerFromViews(parts, scope, found, asked, caller)
      : { reading: found, arm, body: prepared }
  if (answer.body === "absent" || answer.body === "unreachable") return problemResponse(originUnavailable())
  if (answer.body === "no such key") return problemResponse(configNotFound(asked.key!))
  return viewResponse(answer.arm, answer.reading, answer.body)
}

const HEALTH_HEADERS = {
  ...SECURITY_HEADERS,
  "content-type": "application/json; charset=utf-8",
  "cache-control": "no-store",
}
const health = (): Response => new Response('{"status":"ok"}', { headers: HEALTH_HEADERS })

const READ_METHODS = "GET, HEAD, OPTIONS"
const allowed = (): Response => new Response(null, { status: 204, headers: { allow: READ_METHODS } })

/** An X-Tenant-ID that is not the path's name may be a contradiction or an external id: the origin knows. */
const isPlain = (request: Request, asked: ViewRequest): boolean => {
  const named = request.headers.get("x-tenant-id")
  return named === null || named === asked.tenantId
}

/** Whatever the method: who serves the path also says which methods it takes. */
const originOf = (pathname: string, settings: Settings): string => {
  if (pathname.startsWith(VIEWS_PATH)) return settings.readOrigin
  return pathname === OUTCOMES_PATH ? settings.outcomesOrigin : settings.manageOrigin
}

export const createEdge = (bindings: Bindings): Edge => {
  const settings = readSettings(bindings)
  const origin = createOrigin(settings)
  const deadlineMs = settings.originDeadlineMs
  const views = createViews(origin, deadlineMs)
  const lastKnownGood = createLastKnownGood(bindings.LAST_KNOWN_GOOD)
  const pointers = createPointers({ origin, views, lastKnownGood, deadlineMs })
  const parts: Parts = { pointers, answers: createAnswers(views) }
  const routeOf = createRouter(settings.environments)
  const judge = createReaders(settings.readerKeys, settings.environments)
  const push = createPush(bindings.STREAM_HUB, settings)
  const streams = createStreams({ ...settings, pointers, push })

  return async (request, life) => {
    const { method } = request
    const route = routeOf(request.url)
    const reads = method === "GET" || method === "HEAD"
    if (route.kind === "health" && reads) return health()
    if (route.kind === "hidden") return problemResponse(routeUnknown(route.path))
    if ((route.kind === "view" || route.kind === "stream") && method === "OPTIONS") return allowed()
    if (route.kind === "stream" && method === "GET")
      return await streams.open(
        request,
        await judge(request.headers.get("authorization")),
        callerOf(request, life),
      )
    if (route.kind === "view" && reads) {
      const reader = await judge(request.headers.get("authorization"))
      if (reader === "invalid") return problemResponse(unauthenticated())
      if (reader !== "elsewhere" && isPlain(request, route))
        return await answerView(parts, request, route, reader, life)
    }
    const { pathname, search } = new URL(request.url)
    return await forward(request, originOf(pathname, settings) + pathname + search, settings)
  }
}
