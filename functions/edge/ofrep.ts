import type { Context } from "../../core/flag/definition.ts"
import {
  CONTEXT_BYTES_MAX,
  contextTooLarge,
  parseContext,
  RemoteFlags,
  subjectOf,
  type Told,
} from "../../core/flag/ofrep.ts"
import { bulkBody, flagsName, knownTag, tagText, ticketExpiry, writeTag } from "../../core/flag/ofrep-bulk.ts"
import { type Sign, writeTicket } from "../../core/flag/stream-ticket.ts"
import { parseTenantId, type TenantId, type ViewId } from "../../core/ids.ts"
import { STALE_HEADER } from "../../core/release/pointer-document.ts"
import { parseRevision } from "../../core/release/revision.ts"
import { armFor } from "./answers.ts"
import { readBody } from "./body.ts"
import { Bounded } from "./bounded.ts"
import { isFailure, type Loaded, loadWithFallbacks } from "./fallbacks.ts"
import { pause } from "./pause.ts"
import type { Arm, HeldPointer } from "./pointer.ts"
import type { Pointers, Reading } from "./pointers.ts"
import { type Reader, seesTenant } from "./readers.ts"
import {
  originUnavailable,
  otherEnvironment,
  tenantNotFound,
  tenantSuspended,
  tenantUnnamed,
  unauthenticated,
} from "./refusals.ts"
import type { OfrepRequest } from "./route.ts"
import { type Scope, scopeOf } from "./scope.ts"
import { SECURITY_HEADERS } from "./security.ts"
import type { Caller, Views } from "./views.ts"

/** Evaluates flags for readers, by the OpenFeature Remote Evaluation Protocol. Throws Refusal. */
export type Ofrep = (
  request: Request,
  asked: OfrepRequest,
  reader: Reader,
  caller: Caller,
) => Promise<Response>

interface Parts {
  pointers: Pointers
  views: Views
  sign: Sign
}

const MEMORY_BYTES = 24 * 1_048_576
/** About how much a compiled flag takes for each character of its definition. */
const BYTES_PER_CHARACTER = 8
/** And the view with its index, which it is read from. */
const BYTES_PER_VIEW_CHARACTER = 2
/** And at the worst for each part of its rules. */
const BYTES_PER_PART = 100

/** Which tenant it is about; an external id is for the origin to know, and comes here no more than what is odd does. */
const tenantOf = (reader: Reader, named: string | null): TenantId => {
  if (named === null) {
    const [only, ...others] = reader.tenants === "*" ? [] : reader.tenants
    if (only !== undefined && others.length === 0) return only
    throw tenantUnnamed()
  }
  const tenantId = parseTenantId(named)
  if (tenantId === null || !seesTenant(reader, tenantId))
    throw tenantNotFound(named.slice(0, 100) as TenantId)
  return tenantId
}

const encoder = new TextEncoder()
const DIGEST_BYTES = 16

const digestOf = async (text: string): Promise<string> => {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text)))
  let hex = ""
  for (const byte of bytes.subarray(0, DIGEST_BYTES)) hex += byte.toString(16).padStart(2, "0")
  return hex
}

const headersOf = ({ reading, arm }: Loaded<RemoteFlags>, tag: string | null): Record<string, string> => ({
  ...SECURITY_HEADERS,
  "content-type": "application/json; charset=utf-8",
  "cache-control": tag === null ? "no-store" : "private, no-cache",
  "hotswap-revision": reading.pointer.document.revision,
  "hotswap-arm": arm.name,
  vary: "Authorization, X-Tenant-ID",
  ...(tag === null ? {} : { etag: tag }),
  ...(reading.staleMs === null ? {} : { [STALE_HEADER]: String(Math.floor(reading.staleMs / 1_000)) }),
})

const single = ({ status, body }: Told, loaded: Loaded<RemoteFlags>): Response =>
  new Response(body, { status, headers: headersOf(loaded, null) })

const placeOf = (scope: Scope, view: ViewId): string => `${scope.name}/${view}`

export const createOfrep = ({ pointers, views, sign }: Parts): Ofrep => {
  const compiled = new Bounded<RemoteFlags>(MEMORY_BYTES)

  /** However large it is, it is worth keeping: else each request would compile it. */
  const keep = (scope: Scope, view: ViewId, flags: RemoteFlags): void => {
    const bytes =
      1_000 +
      flags.characters * BYTES_PER_CHARACTER +
      flags.viewCharacters * BYTES_PER_VIEW_CHARACTER +
      flags.readyParts * BYTES_PER_PART
    compiled.set(placeOf(scope, view), flags, Math.min(MEMORY_BYTES, bytes))
  }

  const flagsOf = async (scope: Scope, { view }: Arm, caller: Caller) => {
    const known = compiled.get(placeOf(scope, view))
    if (known) return known
    const content = await views.load(scope, { view, index: null }, caller)
    if (typeof content === "string") return content
    const flags = new RemoteFlags(content.members)
    keep(scope, view, flags)
    return flags
  }

  const pointerFor = async (
    request: Request,
    asked: OfrepRequest,
    scope: Scope,
    caller: Caller,
  ): Promise<Reading> => {
    const wanted = parseRevision(asked.wanted ?? request.headers.get("hotswap-at-least") ?? "")
    const found = wanted
      ? await pointers.reach(scope, wanted, caller)
      : (pointers.ready(scope, caller) ?? (await pointers.obtain(scope, caller)))
    if (found === "absent") throw tenantNotFound(scope.tenantId)
    if (found === "unreachable") throw originUnavailable()
    return found
  }

  const everything = async (
    request: Request,
    asked: OfrepRequest,
    loaded: Loaded<RemoteFlags>,
    flags: RemoteFlags,
    context: Context,
    reader: Reader,
  ): Promise<Response> => {
    const { document } = loaded.reading.pointer
    const nowSeconds = Math.floor(Date.now() / 1_000)
    const timed = flags.isTimed ? nowSeconds : null
    const digest = await digestOf(tagText(document, loaded.arm.name, context, timed))
    // Who was told of a change over a stream has one.
    const needsTicket = asked.streams && asked.wanted === null
    const known = knownTag(request.headers.get("if-none-match"), digest, nowSeconds, needsTicket)
    if (known !== null) {
      const { "content-type": _, ...headers } = headersOf(loaded, known)
      return new Response(null, { status: 304, headers })
    }
    const expiresAtSeconds = ticketExpiry(nowSeconds)
    const stream = asked.streams && {
      site: new URL(request.url).origin,
      ticket: await writeTicket(
        {
          tenantId: document.tenantId,
          environment: document.environment,
          tokenId: reader.tokenId,
          tokenExpiresAtSeconds: Math.floor(reader.expiresAtMs / 1_000),
          revision: document.revision,
          flags: flagsName(document),
          expiresAtSeconds,
        },
        sign,
      ),
    }
    const texts = flags.all(context, nowSeconds)
    let next = texts.next()
    for (; !next.done; next = texts.next()) await pause(0)
    const headers = headersOf(loaded, writeTag(digest, stream ? expiresAtSeconds : null))
    return new Response(bulkBody(next.value, document, stream || null), { headers })
  }

  return async (request, asked, reader, caller) => {
    const tenantId = tenantOf(reader, request.headers.get("x-tenant-id"))
    if (asked.environment !== null && asked.environment !== reader.environment)
      throw otherEnvironment(reader.environment)
    const scope = scopeOf(tenantId, reader.environment)
    const first = await pointerFor(request, asked, scope, caller)
    if (first.pointer.revoked.has(reader.tokenId)) throw unauthenticated()
    if (first.pointer.document.status === "suspended") throw tenantSuspended(tenantId)
    const context = parseContext(await readBody(request, CONTEXT_BYTES_MAX, contextTooLarge))
    const armOf = (pointer: HeldPointer) =>
      armFor(pointer, { targetingKey: subjectOf(context), bothArms: false })
    const loaded = await loadWithFallbacks(
      pointers,
      scope,
      first,
      armOf,
      (_pointer, arm) => flagsOf(scope, arm, caller),
      caller,
    )
    const { found } = loaded
    if (isFailure(found)) throw originUnavailable()
    const ready = found.readyParts
    const answer =
      asked.key === null
        ? await everything(request, asked, loaded, found, context, reader)
        : single(found.one(asked.key, context, Math.floor(Date.now() / 1_000)), loaded)
    if (found.readyParts !== ready) keep(scope, loaded.arm.view, found)
    return answer
  }
}
