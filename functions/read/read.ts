import { may, sees } from "../../core/access.ts"
import { Refusal } from "../../core/errors.ts"
import { parseOfrepPath } from "../../core/flag/ofrep.ts"
import { isTenant, parseConfigKey, parseScopeId, type ScopeId } from "../../core/ids.ts"
import { armOf } from "../../core/release/arms.ts"
import { STALE_HEADER } from "../../core/release/pointer-document.ts"
import { inTime, LIMITS_MS, startTime } from "../http/deadline.ts"
import type { FunctionUrlEvent, FunctionUrlResult } from "../http/events.ts"
import { createFailures } from "../http/failures.ts"
import { asCalled } from "../http/from-edge.ts"
import { jwtVerifierOf } from "../http/jwt-door.ts"
import { withServerSpan } from "../http/server-span.ts"
import { readerVerifier } from "../http/tokens.ts"
import { type Asked, askedNow, noteAnswer, noteRefusal, tenantsOf } from "../http/usage-watch.ts"
import type { ReadPlatform } from "../platform/compose-read.ts"
import { createPointerBuilder } from "../platform/pointers.ts"
import { checkPointer, environmentOf } from "./checks.ts"
import { jsonResult, matches, optionsResult, refused, routeUnknown, withHeader, withoutBody } from "./door.ts"
import { type ArmAnswer, bothOf, bothOfKey, type Entry, valueText } from "./entry.ts"
import { createExternalIds, isExternalId } from "./external-ids.ts"
import { createInternal } from "./internal.ts"
import { answeredByOfrep, createOfrep } from "./ofrep.ts"
import { withAgesTold } from "./pointer-ages.ts"
import { createPointers } from "./pointers.ts"
import { createPrincipals } from "./principals.ts"
import { type Query, queryRefusal, readQuery } from "./query.ts"
import { configNotFound, tenantNotFound } from "./refusals.ts"
import { type Address, createSpecialReads } from "./special.ts"
import { unavailable } from "./unavailable.ts"

export type ReadHandler = (event: FunctionUrlEvent) => Promise<FunctionUrlResult>

const HOT = "/api/v1/configs/tenant/"
const HOT_ROUTE = `${HOT}{tenantId}`
const OFREP_ROUTE = "/ofrep/v1/evaluate/flags"
// Functions name their headers in lower case.
const STALE = STALE_HEADER.toLowerCase()

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** What the path names: a scope, or a tenant by an external id, which has yet to be looked up. */
const nameOf = (path: string): ScopeId | { externalId: string } => {
  const text = path.slice(HOT.length)
  const scope = parseScopeId(text)
  if (scope !== null) return scope
  if (text === "" || text.includes("/")) throw routeUnknown()
  const name = decoded(text)
  if (isExternalId(name)) return { externalId: name }
  throw new Refusal("TENANT_ID_INVALID", `"${text.slice(0, 100)}" is neither a slug nor an external id.`)
}

const mismatch = (named: string, scope: ScopeId): Refusal =>
  new Refusal(
    "TENANT_MISMATCH",
    `X-Tenant-ID is "${named.slice(0, 100)}", but the request is about "${scope}".`,
  )

const isSpecial = (query: Query): boolean =>
  query.asOf !== null || query.detail !== null || query.preview !== null

/** Refuses parameters that are given but empty, or are none of the values there are. */
const checkQuery = (query: Query): void => {
  if (query.key !== null && parseConfigKey(query.key) === null)
    throw new Refusal("KEY_INVALID", `"${query.key.slice(0, 200)}" is not a key.`)
  if (query.targetingKey === "") throw queryRefusal("targetingKey", "is empty")
  if (query.arms !== null && query.arms !== "both") throw queryRefusal("arms", 'is not "both"')
}

const answerFor = (entry: Entry, query: Query): ArmAnswer => {
  if (query.arms !== null) return bothOf(entry)
  if (entry.candidate === null) return entry.stable
  return armOf(entry.pointer.candidate, query.targetingKey) === "candidate" ? entry.candidate : entry.stable
}

const singleKey = (answer: ArmAnswer, key: string): FunctionUrlResult => {
  const text = valueText(answer, key)
  if (text === undefined) throw configNotFound(key)
  return { ...answer.ok, body: `${answer.head}{"${key}":${text}}}` }
}

const ordinary = (entry: Entry, query: Query, ifNoneMatch: string | undefined): FunctionUrlResult => {
  const answer = answerFor(entry, query)
  if (matches(ifNoneMatch, answer.etag)) return answer.notModified
  if (query.key === null) return answer.ok
  return query.arms === null ? singleKey(answer, query.key) : bothOfKey(entry, query.key)
}

/** The door of the read function, over parts wired once. */
export const createRead = (platform: ReadPlatform): ReadHandler => {
  const { settings, clock, log, reading, cache, background, trace } = platform
  const builder = createPointerBuilder({ reading, clock })
  const ttlMs = settings.cacheTtlSeconds * 1_000
  const memoryCharacters = settings.viewMemoryMebibytes * 1_024 * 1_024
  const pointers = withAgesTold(
    createPointers({ clock, log, trace, background, cache, builder, ttlMs, memoryCharacters }),
    clock,
    platform.metrics,
  )
  const principals = createPrincipals({
    clock,
    log,
    reading,
    verifyReader: readerVerifier(settings.readerPublicKeys),
    verifyJwt: jwtVerifierOf(platform),
    startupTokenHash: settings.adminTokenHash,
    failures: createFailures({ attempts: platform.attempts, edgeSecret: settings.edgeSecret }),
    used: platform.tokenUses.note,
    lastKnownMs: ttlMs,
  })
  const externalIds = createExternalIds({ clock, log, reading, lastKnownMs: ttlMs })
  const internal = createInternal({ settings, cache, pointers })
  const special = createSpecialReads({ clock, log, reading, builder })

  const tenantOf = async (externalId: string) => await externalIds.tenantOf(externalId)

  const checkNamed = async (named: string, scope: ScopeId): Promise<void> => {
    if (!isExternalId(named) || (await inTime(tenantOf(named))) !== scope) throw mismatch(named, scope)
  }

  /** Counts the request when it is over. */
  const watched = async (
    route: string,
    event: FunctionUrlEvent,
    work: (asked: Asked) => Promise<FunctionUrlResult>,
  ): Promise<FunctionUrlResult> => {
    const { authorization } = event.headers
    const asked = askedNow({ route, method: event.requestContext.http.method, authorization })
    try {
      const result = await work(asked)
      noteAnswer(platform.usage, asked, result.statusCode)
      return result
    } catch (error) {
      noteRefusal(platform.usage, asked, error)
      throw error
    }
  }

  const hot = async (event: FunctionUrlEvent, asked: Asked): Promise<FunctionUrlResult> => {
    const { headers } = event
    const found = principals.of(headers.authorization, event)
    const principal = found instanceof Promise ? await inTime(found) : found
    asked.principal = principal
    const name = nameOf(event.rawPath)
    const scope = typeof name === "string" ? name : await inTime(tenantOf(name.externalId))
    // Named back just as it was given: whose name it is remains unsaid.
    if (scope === null || !sees(principal, scope))
      throw tenantNotFound(typeof name === "string" ? name : name.externalId)
    asked.tenants = tenantsOf(scope)
    const named = headers["x-tenant-id"]
    if (named !== undefined && named !== scope) await checkNamed(named, scope)
    const query = readQuery(event.rawQueryString)
    const environment = environmentOf(query.environment, principal, settings.environments)
    checkQuery(query)
    if (!may(principal, "view.read", { scope, environment }))
      throw new Refusal("FORBIDDEN", "Reading views takes one of the roles reader, viewer and above.")
    if (!isTenant(scope)) return await inTime(special.ofScope(scope, environment, query))
    // Applications read with reader tokens, from memory; everybody else looks at what they have just done.
    const held = principal.roles.includes("reader")
      ? pointers.of(scope, environment)
      : pointers.latest(scope, environment)
    const isHit = !(held instanceof Promise)
    const entry = isHit ? held : await inTime(held)
    asked.isHit = isHit
    if (entry === null) throw tenantNotFound(scope)
    checkPointer(entry, principal)
    const address: Address = { tenantId: scope, environment }
    const result = isSpecial(query)
      ? await inTime(special.answer(address, query, principal))
      : ordinary(entry, query, headers["if-none-match"])
    const ageMs = pointers.ageMs(entry)
    return ageMs > entry.staleness.staleMs
      ? withHeader(result, STALE, String(Math.floor(ageMs / 1_000)))
      : result
  }

  const ready = async (): Promise<FunctionUrlResult> => {
    await reading.ping().catch((error: unknown) => {
      throw unavailable(error, log)
    })
    return jsonResult(200, { status: "ready" })
  }

  const ofrep = createOfrep({
    settings,
    clock,
    pointers,
    principals,
    tenantOf,
    verifyReader: readerVerifier(settings.readerPublicKeys),
  })

  const route = (event: FunctionUrlEvent): Promise<FunctionUrlResult> => {
    const { rawPath } = event
    if (rawPath.startsWith(HOT)) return watched(HOT_ROUTE, event, (asked) => hot(event, asked))
    if (rawPath.startsWith("/internal/")) return inTime(internal(event))
    if (rawPath === "/health") return Promise.resolve(jsonResult(200, { status: "ok" }))
    if (rawPath === "/ready") return inTime(ready())
    throw routeUnknown()
  }

  // What is in memory is answered without a timer.
  const timed = (event: FunctionUrlEvent) => startTime(LIMITS_MS.read, () => route(event))

  const answer: ReadHandler = async (given) => {
    const event = asCalled(given, settings.edgeSecret)
    const flags = parseOfrepPath(event.rawPath)
    if (flags) {
      const { key } = flags
      const route = key === null ? OFREP_ROUTE : `${OFREP_ROUTE}/{key}`
      const work = () => watched(route, event, (asked) => inTime(ofrep(key, event, asked)))
      return await answeredByOfrep(key, event, log, () => startTime(LIMITS_MS.read, work))
    }
    try {
      const { method } = event.requestContext.http
      if (method === "GET") return await timed(event)
      if (method === "HEAD") return withoutBody(await timed(event))
      if (method === "OPTIONS") return optionsResult
      throw new Refusal("METHOD_NOT_ALLOWED", `${method} is not one of GET, HEAD and OPTIONS.`)
    } catch (thrown) {
      return refused(thrown, event, log)
    }
  }
  return withServerSpan(platform, answer, () => import("./address.ts"))
}
