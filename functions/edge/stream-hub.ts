import type { Environment } from "../../core/environment.ts"
import { isTenant, layerOf, type ScopeId, type TenantId } from "../../core/ids.ts"
import { parseReloadType } from "../../core/release/reload.ts"
import { parseRevision } from "../../core/release/revision.ts"
import { hearMoves, type Move } from "./redis-events.ts"
import { type Bindings, type RequestLife, streamsMaxOf, warn } from "./runtime.ts"
import { type Scope, scopeOf } from "./scope.ts"
import type { Hint, Room } from "./stream-room.ts"
import { type Opening, seat } from "./stream-seat.ts"
import { NO_HOP } from "./tracing.ts"
import type { Caller } from "./views.ts"

type HubBindings = Pick<Bindings, "UPSTASH_REDIS_REST_URL" | "UPSTASH_REDIS_REST_TOKEN" | "STREAMS_MAX">

/** Opens a room whose looks go through the memory that this isolate's reads are answered from. */
export type OpenRoom = (scope: Scope, caller: Caller) => Room

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

const hintOf = ({ revision, reload }: Move): Hint => {
  const type = parseReloadType(reload)
  if (type) return { reload: type }
  return (typeof revision === "string" && parseRevision(revision)) || "look"
}

/** The origin is then asked for each tenant: not for all of them in the same instant. */
const spread = (
  rooms: ReadonlyMap<string, Room>,
  hint: Hint,
  tier: string | undefined,
  isReload: boolean,
): void => {
  const spreadMs = spreadOf(rooms.size, isReload)
  for (const room of rooms.values()) setTimeout(() => room.hear(hint, tier), Math.random() * spreadMs)
}

/**
 * A Durable Object that holds the streams of its share of the tenants: it hears of every move from Redis, over one
 * subscription, looks once for all streams of a tenant × environment, and writes to each of them. Only the Worker can
 * reach it, and only for those that the Worker has let in.
 */
export class StreamHub {
  readonly #bindings: HubBindings
  readonly #openRoom: OpenRoom
  readonly #caller: Caller
  /** By environment, then by tenant. */
  readonly #rooms = new Map<string, Map<string, Room>>()
  #count = 0
  #isSubscribed = false
  #over: AbortController | null = null

  constructor(state: RequestLife, bindings: HubBindings, openRoom: OpenRoom) {
    this.#bindings = bindings
    this.#openRoom = openRoom
    this.#caller = { waitUntil: (promise) => state.waitUntil(promise), hop: () => NO_HOP }
  }

  /** `/{tenantId}/{environment}` with an {@link Opening}: the stream, until its reader leaves. */
  async fetch(request: Request): Promise<Response> {
    const [, tenantId = "", environment = ""] = new URL(request.url).pathname
      .split("/")
      .map(decodeURIComponent)
    const opening = (await request.json()) as Opening
    if (this.#count >= streamsMaxOf(this.#bindings)) return new Response(null, { status: 503 })
    const outlet = seat(this.#roomOf(tenantId, environment), opening, this.#count)
    this.#count++
    outlet.gone.addEventListener("abort", () => {
      this.#count--
      if (this.#count === 0) this.#rest()
    })
    this.#work()
    return new Response(outlet.body as ConstructorParameters<typeof Response>[0])
  }

  #roomOf(tenantId: string, environment: string): Room {
    const rooms = this.#rooms.get(environment) ?? new Map<string, Room>()
    this.#rooms.set(environment, rooms)
    const known = rooms.get(tenantId)
    if (known && !known.isEmpty()) return known
    const room = this.#openRoom(scopeOf(tenantId as TenantId, environment as Environment), this.#caller)
    rooms.set(tenantId, room)
    void room.over.then(() => {
      if (rooms.get(tenantId) === room) rooms.delete(tenantId)
    })
    // What was told between the Worker's look and now is lost. Else it is told when the subscription stands.
    if (this.#isSubscribed) room.hear("look")
    return room
  }

  #work(): void {
    const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = this.#bindings
    if (this.#over !== null || !url || !token) return
    this.#over = new AbortController()
    const heard = {
      subscribed: () => {
        this.#isSubscribed = true
        for (const rooms of this.#rooms.values()) spread(rooms, "look", undefined, false)
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
  }

  #moved(move: Move): void {
    const scope = move.scope as ScopeId
    const rooms = this.#rooms.get(String(move.environment))
    if (rooms === undefined) return
    if (isTenant(scope)) rooms.get(scope)?.hear(hintOf(move))
    else spread(rooms, hintOf(move), layerOf(scope) === "tier" ? scope : undefined, move.reload !== undefined)
  }
}
