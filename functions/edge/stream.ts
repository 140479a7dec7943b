import { type Environment, parseEnvironment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { parseTenantId, type TenantId } from "../../core/ids.ts"
import { formatRevision, parseRevision } from "../../core/release/revision.ts"
import type { Pointers } from "./pointers.ts"
import type { Push } from "./push.ts"
import { type Reader, seesTenant, type Verdict } from "./readers.ts"
import {
  originUnavailable,
  otherEnvironment,
  problemResponse,
  tenantNotFound,
  tenantSuspended,
  unauthenticated,
} from "./refusals.ts"
import { type Scope, scopeOf } from "./scope.ts"
import { SECURITY_HEADERS } from "./security.ts"
import { type Told, WORDS, type Words } from "./stream-events.ts"
import type { OpenRoom } from "./stream-hub.ts"
import { type Opening, seat } from "./stream-seat.ts"
import type { Caller } from "./views.ts"

/** Whoever was let in, by whatever showed who it is, and the words that he is told in. */
export interface Listener {
  reader: Reader
  scope: Scope
  /** The revision he has, as he says it; `null`: none. */
  lastHeard: string | null
  /** What named the flags of that revision, where he knows. */
  flags?: string
  words: Words
}

export interface Streams {
  /** Answers `GET /api/v1/stream`. */
  open(request: Request, verdict: Verdict, caller: Caller): Promise<Response>
  /** Throws a Refusal where there is nothing to hear. */
  begin(listener: Listener, caller: Caller): Promise<Response>
}

interface Parts {
  pointers: Pointers
  push: Push
  openRoom: OpenRoom
  environments: readonly Environment[]
  streamsMax: number
}

const LIFE_MS = 3_600_000
/** Clients that came together are not let go together, nor do they come back together. */
const LIFE_SPREAD = 0.1

const HEADERS = {
  ...SECURITY_HEADERS,
  "content-type": "text/event-stream; charset=utf-8",
  // Compressed, events would be held back until there are enough of them.
  "cache-control": "no-store, no-transform",
  vary: "Authorization",
}

const queryInvalid = (path: string, message: string): Refusal =>
  new Refusal("QUERY_INVALID", `\`${path}\` ${message}.`, { errors: [{ path, message }] })

/** Only readers stream: whom this door cannot check by itself it does not pass on to a function. */
const readerOf = (verdict: Verdict, authorization: string | null): Reader => {
  if (typeof verdict === "object") return verdict
  if (verdict === "elsewhere" && authorization !== null && !/^bearer +hsr_/i.test(authorization))
    throw new Refusal("FORBIDDEN", "The stream takes a reader token.")
  throw unauthenticated()
}

const tenantOf = (reader: Reader, named: string | null): TenantId => {
  if (named === null) {
    const [only, ...others] = reader.tenants === "*" ? [] : reader.tenants
    if (only !== undefined && others.length === 0) return only
    throw new Refusal("TENANT_UNNAMED", "The token is for several tenants, and X-Tenant-ID names none.")
  }
  const tenantId = parseTenantId(named)
  if (tenantId === null || !seesTenant(reader, tenantId))
    throw tenantNotFound(named.slice(0, 100) as TenantId)
  return tenantId
}

const environmentOf = (url: string, reader: Reader, environments: readonly Environment[]): Environment => {
  const named = new URL(url).searchParams.getAll("environment")
  if (named.length === 0) return reader.environment
  if (named.length > 1) throw queryInvalid("environment", "is given twice")
  if (named[0] === "") throw queryInvalid("environment", "is empty")
  const environment = parseEnvironment(named[0]!, environments)
  if (environment === null)
    throw new Refusal(
      "ENVIRONMENT_UNKNOWN",
      `There is no environment "${named[0]!.slice(0, 100)}"; there are ${environments.join(", ")}.`,
    )
  if (environment !== reader.environment) throw otherEnvironment(reader.environment)
  return environment
}

const WITH_CHANGES = "changes"

const wordsOf = (url: string): Words => {
  const named = new URL(url).searchParams.getAll("with")
  if (named.length === 0) return "moves"
  if (named.length === 1 && named[0] === WITH_CHANGES) return "changes"
  throw queryInvalid("with", `is something else than "${WITH_CHANGES}"`)
}

const full = (most: number): Refusal =>
  new Refusal("STREAMS_TOO_MANY", `${most} streams are open here already.`)

export const createStreams = ({ pointers, push, openRoom, environments, streamsMax }: Parts): Streams => {
  /** Held here, as no hub can be reached: each looks for itself. */
  let alone = 0

  const readingOf = async ({ scope, lastHeard, reader, flags }: Listener, caller: Caller) => {
    const known = parseRevision(lastHeard ?? "")
    const found = known
      ? await pointers.reach(scope, known, caller)
      : (pointers.ready(scope, caller) ?? (await pointers.obtain(scope, caller)))
    if (found === "absent") throw tenantNotFound(scope.tenantId)
    if (found === "unreachable") throw originUnavailable()
    if (found.pointer.revoked.has(reader.tokenId)) throw unauthenticated()
    if (found.pointer.document.status === "suspended") throw tenantSuspended(scope.tenantId)
    const { revision, document } = found.pointer
    const here: Told = { revision, flags: document.flags }
    if (known === null || document.revision === lastHeard)
      return { here, told: here, isNewcomer: known === null }
    // What flags were like then, nobody knows any more who has not kept it.
    return { here, told: { revision: known, flags }, isNewcomer: false }
  }

  const openAlone = (scope: Scope, opening: Opening, caller: Caller): ReadableStream<Uint8Array> => {
    if (alone >= streamsMax) throw full(streamsMax)
    const room = openRoom(scope, caller)
    const outlet = seat(room, opening, alone)
    alone++
    outlet.gone.addEventListener("abort", () => {
      alone--
    })
    caller.waitUntil(room.over)
    return outlet.body
  }

  const begin: Streams["begin"] = async (listener, caller) => {
    const { reader, scope, words } = listener
    const { here, told, isNewcomer } = await readingOf(listener, caller)
    const opening: Opening = {
      tokenId: reader.tokenId,
      endsAtMs: Math.min(reader.expiresAtMs, Date.now() + LIFE_MS * (1 - LIFE_SPREAD * Math.random())),
      words,
      revision: formatRevision(told.revision),
      flags: told.flags ?? null,
      // He who has nothing is told where things are; he who has something, only what is newer.
      text: isNewcomer ? WORDS[words](here, null, new Set(), () => null) : "",
    }
    const held = await push.open(scope, opening)
    if (held === "full") throw full(streamsMax)
    const body = held === "away" ? openAlone(scope, opening, caller) : held
    return new Response(body as ConstructorParameters<typeof Response>[0], { headers: HEADERS })
  }

  const stream = async (request: Request, verdict: Verdict, caller: Caller): Promise<Response> => {
    const { headers } = request
    const reader = readerOf(verdict, headers.get("authorization"))
    const tenantId = tenantOf(reader, headers.get("x-tenant-id"))
    const scope = scopeOf(tenantId, environmentOf(request.url, reader, environments))
    const lastHeard = headers.get("last-event-id")
    return await begin({ reader, scope, lastHeard, words: wordsOf(request.url) }, caller)
  }

  return {
    begin,
    open: async (request, verdict, caller) => {
      try {
        return await stream(request, verdict, caller)
      } catch (error) {
        if (error instanceof Refusal) return problemResponse(error)
        throw error
      }
    },
  }
}
