import { vi } from "vitest"
import type { ScopeId, TokenId } from "../../core/ids.ts"
import { formatRevision } from "../../core/release/revision.ts"
import { type OpenRoom, StreamHub } from "../../functions/edge/stream-hub.ts"
import type { Hint } from "../../functions/edge/stream-room.ts"
import type { Opening } from "../../functions/edge/stream-seat.ts"
import { eventsChannel } from "../../functions/platform/cache-keys.ts"

const TENANTS = ["alder", "alder-2", "birch", "~platform"] as const
const ENVIRONMENTS = ["Staging", "Production"] as const

interface Move {
  scope: string
  environment: string
  revision: string
}

/** Each tenant moves once in each environment; the platform last, so that who has heard of that has heard of all. */
const MOVES: readonly Move[] = TENANTS.flatMap((scope, nth) =>
  ENVIRONMENTS.map((environment, which) => ({
    scope,
    environment,
    revision: scope === "~platform" ? `1.9.0.${which}` : `1.0.0.${10 * nth + which + 1}`,
  })),
)

const concerns = (move: Move, tenant: string, environment: string): boolean =>
  move.environment === environment && (move.scope === tenant || move.scope === "~platform")

/** A subscription to Redis that tells of the moves once it stands. */
const redis = (): Response => {
  const told = MOVES.map(({ scope, environment, revision }) => {
    const channel = eventsChannel(scope as ScopeId)
    return `data: pmessage,hotswap:{*}:events,${channel},${JSON.stringify({ environment, revision })}\n\n`
  })
  const body = new ReadableStream({
    start: (controller) => {
      const lines = ["data: psubscribe,hotswap:{*}:events,1\n\n", ...told]
      for (const line of lines) controller.enqueue(new TextEncoder().encode(line))
    },
  })
  return new Response(body)
}

const named = (hint: Hint): string =>
  typeof hint === "object" && "epoch" in hint ? formatRevision(hint) : ""

/** What those who listen to one hub hear that does not concern them, and do not hear that does. */
export const streamFaults = async (): Promise<string[]> => {
  const subscribed = Promise.withResolvers<void>()
  vi.stubGlobal("fetch", async () => {
    await subscribed.promise
    return redis()
  })
  const leaving: (() => Promise<void>)[] = []
  try {
    const bindings = { UPSTASH_REDIS_REST_URL: "https://redis.test", UPSTASH_REDIS_REST_TOKEN: "token" }
    const faults: Promise<string>[] = []
    const openRoom: OpenRoom = ({ tenantId, environment }) => {
      const heard: string[] = []
      const last = Promise.withResolvers<void>()
      const due = MOVES.filter((move) => concerns(move, tenantId, environment)).map(
        ({ revision }) => revision,
      )
      const of = () =>
        heard.join() === due.join() ? "" : `${tenantId} in ${environment} hears of ${heard} and not of ${due}`
      faults.push(last.promise.then(of))
      return {
        enter: () => undefined,
        hear: (hint) => {
          const revision = named(hint)
          if (revision !== "") heard.push(revision)
          if (MOVES.some((move) => move.scope === "~platform" && move.revision === revision)) last.resolve()
        },
        isEmpty: () => false,
        over: new Promise(() => undefined),
      }
    }
    const hub = new StreamHub({ waitUntil: () => undefined }, bindings, openRoom)
    const opening: Opening = {
      tokenId: "~platform:tok_1" as TokenId,
      endsAtMs: 0,
      words: "moves",
      revision: "1.0.0.0",
      flags: null,
      text: "",
    }
    for (const tenant of TENANTS.filter((name) => name !== "~platform"))
      for (const environment of ENVIRONMENTS) {
        const body = JSON.stringify(opening)
        const url = `https://hub.internal/${tenant}/${environment}`
        const response = await hub.fetch(new Request(url, { method: "POST", body }))
        leaving.push(async () => void (await response.body?.cancel()))
      }
    subscribed.resolve()
    return (await Promise.all(faults)).filter((fault) => fault !== "")
  } finally {
    for (const leave of leaving) await leave()
    vi.unstubAllGlobals()
  }
}
