import { isTenant, layerOf, type ScopeId } from "../../core/ids.ts"
import { parseReloadType } from "../../core/release/reload.ts"
import { parseRevision } from "../../core/release/revision.ts"
import { createOutlet, type Outlet } from "./event-stream.ts"
import { hearMoves, type Move } from "./redis-events.ts"
import { type Bindings, streamsMaxOf, warn } from "./runtime.ts"

/**
 * A line of a hub that says: whatever you know, look again. With `:` and a type after it, tell of that whatever you find.
 * Any other that is not empty is a revision. Of a tier's, its scope follows.
 */
export const LOOK = "look"

/** So often each listener is written to: who has left is noticed only then. */
const PING_MS = 15_000

type HubBindings = Pick<Bindings, "UPSTASH_REDIS_REST_URL" | "UPSTASH_REDIS_REST_TOKEN" | "STREAMS_MAX">

/** Over so long the move of a layer that many tenants share is told to them. */
const SPREAD_MAX_MS = 500
const SPREAD_EACH_MS = 2
/** What was asked for by hand, and for everybody, is in no hurry. */
const RELOAD_SPREAD_MAX_MS = 5_000
const RELOAD_SPREAD_EACH_MS = 10

/** Over how long so many tenants are told. */
const spreadOf = (tenants: number, isReload: boolean): number =>
  isReload
    ? Math.min(RELOAD_SPREAD_MAX_MS, tenants * RELOAD_SPREAD_EACH_MS)
    : Math.min(SPREAD_MAX_MS, tenants * SPREAD_EACH_MS)

const lineOf = ({ scope, revision, reload }: Move): string => {
  const type = parseReloadType(reload)
  const known = typeof revision === "string" && parseRevision(revision) ? revision : LOOK
  const told = type ? `${LOOK}:${type}` : known
  return layerOf(scope as ScopeId) === "tier" ? `${told} ${scope}\n` : `${told}\n`
}

const tell = (among: ReadonlySet<Outlet> | undefined, line: string): void => {
  for (const outlet of among ?? []) outlet.write(line)
}

/** The origin is then asked for each tenant: not for all of them in the same instant. */
const spread = (tenants: ReadonlyMap<string, ReadonlySet<Outlet>>, line: string, isReload: boolean): void => {
  const spreadMs = spreadOf(tenants.size, isReload)
  for (const among of tenants.values()) setTimeout(() => tell(among, line), Math.random() * spreadMs)
}

/**
 * A Durable Object that hears of every move from Redis, over one subscription, and tells those of its listeners
 * whom it concerns. It knows no configuration and no token: only the Worker can reach it, and only for scopes that the
 * Worker has checked.
 */
export class StreamHub {
  readonly #bindings: HubBindings
  /** By environment, then by tenant. */
  readonly #listeners = new Map<string, Map<string, Set<Outlet>>>()
  #count = 0
  #isSubscribed = false
  #over: AbortController | null = null
  #pings: ReturnType<typeof setInterval> | undefined

  constructor(_state: unknown, bindings: HubBindings) {
    this.#bindings = bindings
  }

  /** `/{tenantId}/{environment}`: a stream of lines, until the listener leaves. */
  async fetch(request: Request): Promise<Response> {
    const [, tenantId = "", environment = ""] = new URL(request.url).pathname
      .split("/")
      .map(decodeURIComponent)
    if (this.#count >= streamsMaxOf(this.#bindings)) return new Response(null, { status: 503 })
    const outlet = createOutlet()
    const among = this.#among(environment, tenantId)
    among.add(outlet)
    this.#count++
    outlet.gone.addEventListener("abort", () => {
      among.delete(outlet)
      if (among.size === 0) this.#listeners.get(environment)?.delete(tenantId)
      this.#count--
      if (this.#count === 0) this.#rest()
    })
    this.#work()
    // Else it is told when the subscription stands.
    outlet.write(this.#isSubscribed ? `${LOOK}\n` : "\n")
    return new Response(outlet.body)
  }

  #among(environment: string, tenantId: string): Set<Outlet> {
    const tenants = this.#listeners.get(environment) ?? new Map<string, Set<Outlet>>()
    this.#listeners.set(environment, tenants)
    const among = tenants.get(tenantId) ?? new Set<Outlet>()
    tenants.set(tenantId, among)
    return among
  }

  #work(): void {
    const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = this.#bindings
    if (this.#over !== null || !url || !token) return
    this.#over = new AbortController()
    this.#pings = setInterval(() => this.#tellAll("\n"), PING_MS)
    const heard = {
      subscribed: () => {
        this.#isSubscribed = true
        for (const tenants of this.#listeners.values()) spread(tenants, `${LOOK}\n`, false)
      },
      moved: (move: Move) => this.#moved(move),
    }
    hearMoves({ url, token }, heard, this.#over.signal).catch((error: unknown) =>
      warn("the hub has failed", { error: String(error) }),
    )
  }

  #rest(): void {
    this.#over?.abort()
    this.#over = null
    this.#isSubscribed = false
    clearInterval(this.#pings)
  }

  #moved(move: Move): void {
    const { scope, environment, reload } = move
    const tenants = this.#listeners.get(String(environment))
    if (tenants === undefined) return
    const line = lineOf(move)
    if (isTenant(scope as ScopeId)) {
      tell(tenants.get(scope), line)
      return
    }
    spread(tenants, line, reload !== undefined)
  }

  #tellAll(line: string): void {
    for (const tenants of this.#listeners.values()) for (const among of tenants.values()) tell(among, line)
  }
}
