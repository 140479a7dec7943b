import { type Environment, parseEnvironment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { parseTenantId, type TenantId } from "../../core/ids.ts"
import { parseRevision } from "../../core/release/revision.ts"
import { createOutlet } from "./event-stream.ts"
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
import { type EventText, eventText, type Told } from "./stream-events.ts"
import { runSession } from "./stream-session.ts"
import type { Caller } from "./views.ts"

/** Whoever was let in, by whatever showed who it is, and the words that he is told in. */
export interface Listener {
  reader: Reader
  scope: Scope
  /** The revision he has, as he says it; `null`: none. */
  lastHeard: string | null
  /** What named the flags of that revision, where he knows. */
  flags?: string
  textOf: EventText
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
  environments: readonly Environment[]
  streamsMax: number
}

const LIFE_MS = 3_600_000
/** Clients that came together are not let go together, nor do they come back together. */
const LIFE_SPREAD = 0.1
const RETRY_MS = 1_000
const RETRY_SPREAD_MS = 2_000
/** The more of them there are, the longer they take to come back when all are let go at once. */
const RETRY_SPREAD_EACH_MS = 1

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

export const createStreams = ({ pointers, push, environments, streamsMax }: Parts): Streams => {
  let open = 0

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

  const begin: Streams["begin"] = async (listener, caller) => {
    const { reader, scope, textOf } = listener
    const { here, told, isNewcomer } = await readingOf(listener, caller)
    if (open >= streamsMax)
      throw new Refusal("STREAMS_TOO_MANY", `${streamsMax} streams are open here already.`)
    open++
    const outlet = createOutlet()
    outlet.gone.addEventListener("abort", () => {
      open--
    })
    const spreadMs = RETRY_SPREAD_MS + RETRY_SPREAD_EACH_MS * open
    outlet.write(`retry: ${Math.round(RETRY_MS + spreadMs * Math.random())}\n\n`)
    // He who has nothing is told where things are; he who has something, only what is newer.
    if (isNewcomer) outlet.write(textOf(here, null, new Set()))
    const endsAtMs = Date.now() + LIFE_MS * (1 - LIFE_SPREAD * Math.random())
    const session = { scope, reader, caller, outlet, told, textOf, endsAtMs }
    caller.waitUntil(runSession({ pointers, push }, session).finally(outlet.close))
    return new Response(outlet.body as ConstructorParameters<typeof Response>[0], { headers: HEADERS })
  }

  const stream = async (request: Request, verdict: Verdict, caller: Caller): Promise<Response> => {
    const { headers } = request
    const reader = readerOf(verdict, headers.get("authorization"))
    const tenantId = tenantOf(reader, headers.get("x-tenant-id"))
    const scope = scopeOf(tenantId, environmentOf(request.url, reader, environments))
    return await begin({ reader, scope, lastHeard: headers.get("last-event-id"), textOf: eventText }, caller)
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
