import { createHmac } from "node:crypto"
import { setImmediate as nextTurn } from "node:timers/promises"
import { may, type Principal, sees } from "../../core/access.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import type { Context } from "../../core/flag/definition.ts"
import { ofrepRefusal, parseContext, RemoteFlags, subjectOf, type Told } from "../../core/flag/ofrep.ts"
import { bulkBody, flagsName, knownTag, tagText, ticketExpiry, writeTag } from "../../core/flag/ofrep-bulk.ts"
import { type Sign, TICKET_KEY_NAME, writeTicket } from "../../core/flag/stream-ticket.ts"
import { sha256Hex } from "../../core/hash.ts"
import { parseTenantId, type TenantId, type ViewId } from "../../core/ids.ts"
import { armOf } from "../../core/release/arms.ts"
import { membersOf } from "../../core/release/chunk.ts"
import { STALE_HEADER } from "../../core/release/pointer-document.ts"
import { parseRevision } from "../../core/release/revision.ts"
import { textOfEvent } from "../http/body.ts"
import type { FunctionUrlEvent, FunctionUrlResult } from "../http/events.ts"
import { edgeSecretOf } from "../http/from-edge.ts"
import { type ProblemLog, refusalOf } from "../http/problem.ts"
import type { ReaderClaims } from "../http/tokens.ts"
import type { Asked } from "../http/usage-watch.ts"
import type { Clock } from "../platform/clock.ts"
import { createLru } from "../platform/lru.ts"
import { checkPointer, environmentOf } from "./checks.ts"
import { JSON_HEADERS } from "./door.ts"
import { type ArmAnswer, type Entry, headersOf } from "./entry.ts"
import { isExternalId } from "./external-ids.ts"
import type { Pointers } from "./pointers.ts"
import type { Principals } from "./principals.ts"
import { queryRefusal } from "./query.ts"
import { tenantNotFound } from "./refusals.ts"

const METHODS = "POST, OPTIONS"
/** Of all flags that are kept compiled, about: with the views they are read from, and by the parts of their rules. */
const COMPILED_BYTES = 64 * 1_048_576
const BYTES_PER_CHARACTER = 2
const BYTES_PER_PART = 100
const DIGEST_DIGITS = 32
/** Where the edge is that passes the question on, as it says. */
const SITE_HEADER = "hotswap-site"

/** Here no path says whose flags they are. */
const VARY = { vary: "Authorization, X-Tenant-ID" }

interface Deps {
  settings: { edgeSecret: string; environments: readonly Environment[] }
  clock: Clock
  pointers: Pointers
  principals: Principals
  tenantOf(externalId: string): Promise<TenantId | null>
  verifyReader(token: string, now: Date): Promise<ReaderClaims | null>
}

interface Question {
  environment: string | null
  /** What the client was told of over a stream. */
  wanted: string | null
  streams: boolean
}

const once = (query: URLSearchParams, name: string): string | null => {
  const [value = null, ...others] = query.getAll(name)
  if (others.length > 0) throw queryRefusal(name, "is given twice")
  return value
}

const askedOf = (event: FunctionUrlEvent): Question => {
  const query = new URLSearchParams(event.rawQueryString)
  return {
    environment: once(query, "environment"),
    wanted: once(query, "flagConfigEtag"),
    streams: once(query, "eventStreams") !== "none",
  }
}

const onlyTenant = ({ tenants }: Principal): TenantId => {
  const [only, ...others] = tenants === "*" ? [] : tenants
  if (only !== undefined && others.length === 0) return only
  throw new Refusal("TENANT_UNNAMED", "The token is for several tenants, and X-Tenant-ID names none.")
}

/** The answer of `work`, or a refusal in the protocol's shape. */
export const answeredByOfrep = async (
  key: string | null,
  event: FunctionUrlEvent,
  log: ProblemLog,
  work: () => Promise<FunctionUrlResult>,
): Promise<FunctionUrlResult> => {
  const { http, requestId } = event.requestContext
  if (http.method === "OPTIONS")
    return { statusCode: 204, headers: { allow: METHODS }, body: "", isBase64Encoded: false }
  try {
    if (http.method === "POST") return await work()
    throw new Refusal("METHOD_NOT_ALLOWED", `${http.method} is not one of POST and OPTIONS.`)
  } catch (thrown) {
    const { status, headers, body } = ofrepRefusal(refusalOf(thrown, requestId, log), key, requestId)
    if (status === 405) headers.allow = METHODS
    return { statusCode: status, headers, body: http.method === "HEAD" ? "" : body, isBase64Encoded: false }
  }
}

const ticketSigner = (secret: string): Sign => {
  const key = createHmac("sha256", secret).update(TICKET_KEY_NAME).digest()
  return (text) => createHmac("sha256", key).update(text).digest("hex")
}

/** Evaluates flags for whoever may read views, by the OpenFeature Remote Evaluation Protocol. Throws Refusal. */
export const createOfrep = (
  deps: Deps,
): ((key: string | null, event: FunctionUrlEvent, seen: Asked) => Promise<FunctionUrlResult>) => {
  const { settings, clock, pointers } = deps
  const compiled = createLru<ViewId, { flags: RemoteFlags; bytes: number }>(
    COMPILED_BYTES,
    ({ bytes }) => bytes,
  )
  // While the edge's secret is renewed there are two: each edge takes only what was signed with the one that it has.
  const signers = new Map(settings.edgeSecret.split(",").map((secret) => [secret, ticketSigner(secret)]))

  const keep = (viewId: ViewId, flags: RemoteFlags): void => {
    const bytes = 1_000 + flags.viewCharacters * BYTES_PER_CHARACTER + flags.readyParts * BYTES_PER_PART
    compiled.set(viewId, { flags, bytes: Math.min(COMPILED_BYTES, bytes) })
  }

  const flagsOf = ({ view }: ArmAnswer): RemoteFlags => {
    const known = compiled.get(view.id)
    if (known) return known.flags
    const members = view.chunks.map(membersOf)
    const flags = new RemoteFlags(
      members.length === 1 ? members[0]! : new Map(members.flatMap((each) => [...each])),
    )
    keep(view.id, flags)
    return flags
  }

  const scopeOf = async (principal: Principal, named: string | undefined): Promise<TenantId> => {
    if (named === undefined) return onlyTenant(principal)
    const tenantId = isExternalId(named) ? await deps.tenantOf(named) : parseTenantId(named)
    if (tenantId === null || !sees(principal, tenantId)) throw tenantNotFound(named)
    return tenantId
  }

  const entryOf = async (
    principal: Principal,
    tenantId: TenantId,
    environment: Environment,
    revision: string,
  ): Promise<Entry> => {
    const wanted = parseRevision(revision)
    const isReader = principal.roles.includes("reader")
    const entry = await (wanted
      ? pointers.reaching(tenantId, environment, wanted)
      : isReader
        ? pointers.of(tenantId, environment)
        : pointers.latest(tenantId, environment))
    if (entry === null) throw tenantNotFound(tenantId)
    checkPointer(entry, principal)
    return entry
  }

  /** Only a reader token can be looked up at the edge when it is revoked, and only through the edge is there a stream. */
  const streamFor = async (event: FunctionUrlEvent, { pointer }: Entry, expiresAtSeconds: number) => {
    const { authorization = "", [SITE_HEADER]: site } = event.headers
    const secret = edgeSecretOf(event, settings.edgeSecret)
    if (site === undefined || secret === null) return null
    const claims = await deps.verifyReader(authorization.replace(/^bearer +/i, "").trim(), clock.now())
    if (!claims) return null
    const ticket = {
      tenantId: pointer.tenantId,
      environment: pointer.environment,
      tokenId: claims.tokenId,
      tokenExpiresAtSeconds: claims.expiresAt,
      revision: pointer.revision,
      flags: flagsName(pointer),
      expiresAtSeconds,
    }
    return { site, ticket: await writeTicket(ticket, signers.get(secret)!) }
  }

  const everything = async (
    event: FunctionUrlEvent,
    asked: Question,
    { entry, arm }: Picked,
    flags: RemoteFlags,
    context: Context,
  ): Promise<FunctionUrlResult> => {
    const nowSeconds = Math.floor(clock.nowMs() / 1_000)
    const digest = sha256Hex(tagText(entry.pointer, arm, context, flags.isTimed ? nowSeconds : null))
    const expiresAtSeconds = ticketExpiry(nowSeconds)
    const stream = asked.streams ? await streamFor(event, entry, expiresAtSeconds) : null
    const needsTicket = stream !== null && asked.wanted === null
    const shortened = digest.slice(0, DIGEST_DIGITS)
    const known = knownTag(event.headers["if-none-match"], shortened, nowSeconds, needsTicket)
    const tag = known ?? writeTag(shortened, stream ? expiresAtSeconds : null)
    const headers = { ...headersOf(tag, entry.pointer.revision, arm), ...VARY }
    if (known !== null) return { statusCode: 304, headers, body: "", isBase64Encoded: false }
    const texts = flags.all(context, nowSeconds)
    let next = texts.next()
    for (; !next.done; next = texts.next()) await nextTurn()
    const body = bulkBody(next.value, entry.pointer, stream)
    return { statusCode: 200, headers: { ...JSON_HEADERS, ...headers }, body, isBase64Encoded: false }
  }

  return async (key, event, seen) => {
    const principal = await deps.principals.of(event.headers.authorization, event)
    seen.principal = principal
    const asked = askedOf(event)
    const tenantId = await scopeOf(principal, event.headers["x-tenant-id"])
    seen.tenants = [tenantId]
    const environment = environmentOf(asked.environment, principal, settings.environments)
    if (!may(principal, "view.read", { scope: tenantId, environment }))
      throw new Refusal("FORBIDDEN", "Evaluating flags takes one of the roles reader, viewer and above.")
    const wanted = asked.wanted ?? event.headers["hotswap-at-least"] ?? ""
    const entry = await entryOf(principal, tenantId, environment, wanted)
    const context = parseContext(textOfEvent(event))
    const picked = pick(entry, subjectOf(context))
    const nowSeconds = Math.floor(clock.nowMs() / 1_000)
    const flags = flagsOf(picked.answer)
    const ready = flags.readyParts
    const result =
      key === null
        ? await everything(event, asked, picked, flags, context)
        : oneResult(flags.one(key, context, nowSeconds), picked)
    if (flags.readyParts !== ready) keep(picked.answer.view.id, flags)
    const ageMs = pointers.ageMs(entry)
    if (ageMs > entry.staleness.staleMs)
      result.headers[STALE_HEADER.toLowerCase()] = String(Math.floor(ageMs / 1_000))
    return result
  }
}

interface Picked {
  entry: Entry
  answer: ArmAnswer
  arm: "stable" | "candidate"
}

const pick = (entry: Entry, subject: string | null): Picked => {
  const isCandidate = entry.candidate !== null && armOf(entry.pointer.candidate, subject) === "candidate"
  return isCandidate
    ? { entry, answer: entry.candidate!, arm: "candidate" }
    : { entry, answer: entry.stable, arm: "stable" }
}

const oneResult = ({ status, body }: Told, { entry, arm }: Picked): FunctionUrlResult => {
  const { etag: _, ...others } = headersOf("", entry.pointer.revision, arm)
  const headers = { ...JSON_HEADERS, ...others, ...VARY, "cache-control": "no-store" }
  return { statusCode: status, headers, body, isBase64Encoded: false }
}
