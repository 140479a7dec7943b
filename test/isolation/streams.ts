import { vi } from "vitest"
import type { ScopeId } from "../../core/ids.ts"
import { linesOf } from "../../functions/edge/event-stream.ts"
import { StreamHub } from "../../functions/edge/stream-hub.ts"
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

/** What those who listen to one hub hear that does not concern them, and do not hear that does. */
export const streamFaults = async (): Promise<string[]> => {
  const subscribed = Promise.withResolvers<void>()
  vi.stubGlobal("fetch", async () => {
    await subscribed.promise
    return redis()
  })
  const leaving = new AbortController()
  try {
    const bindings = { UPSTASH_REDIS_REST_URL: "https://redis.test", UPSTASH_REDIS_REST_TOKEN: "token" }
    const hub = new StreamHub(null, bindings)
    const listen = async (tenant: string, environment: string): Promise<string[]> => {
      const response = await hub.fetch(new Request(`https://hub.internal/${tenant}/${environment}`))
      const heard: string[] = []
      for await (const line of linesOf(response.body!, leaving.signal)) {
        const move = MOVES.find(({ revision }) => revision === line.split(" ")[0])
        if (move) heard.push(move.revision)
        if (move?.scope === "~platform") break
      }
      const due = MOVES.filter((move) => concerns(move, tenant, environment)).map(({ revision }) => revision)
      return heard.join() === due.join()
        ? []
        : [`${tenant} in ${environment} hears of ${heard} and not of ${due}`]
    }
    const listeners = TENANTS.filter((tenant) => tenant !== "~platform").flatMap((tenant) =>
      ENVIRONMENTS.map((environment) => listen(tenant, environment)),
    )
    subscribed.resolve()
    return (await Promise.all(listeners)).flat()
  } finally {
    leaving.abort()
    vi.unstubAllGlobals()
  }
}
