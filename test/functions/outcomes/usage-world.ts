import { createOutcomes } from "../../../functions/outcomes/outcomes.ts"
import type { OutcomesPlatform } from "../../../functions/platform/compose-outcomes.ts"
import { upstashSender } from "../../../functions/platform/redis-upstash.ts"
import { createUsageInbox } from "../../../functions/platform/usage-inbox.ts"
import { createRelay } from "../../../functions/relay/relay.ts"
import { startRedis } from "../../../local/redis/start.ts"
import { type Answer, CONTEXT, createWorld, eventOf, must } from "../manage/world.ts"

const EDGE_SECRET = "the-secret-of-the-edge-of-a-test"

export type UsageWorld = Awaited<ReturnType<typeof createUsageWorld>>

export interface Told {
  accepted: number
  known: number
  code: string
  detail: string
  errors: { path: string }[]
}

/** What manages and what hears of events, a Redis, and what adds up. */
export const createUsageWorld = async ({ metricTenants = 1_000 } = {}) => {
  const redis = await startRedis()
  const send = upstashSender({ url: redis.url, token: redis.token, deadlineMs: 10_000 })
  const world = await createWorld({ send, settings: { metricTenants, edgeSecret: EDGE_SECRET } })
  const { clock, log, background, settings, trace } = world.platform
  const inbox = createUsageInbox({ clock, log, background, send })
  const outcomes = createOutcomes({
    ...world.platform,
    inbox,
    settings: { ...settings, readerPublicKeys: world.readerKeys },
  } as unknown as OutcomesPlatform)
  const relay = createRelay({
    ...{
      clock,
      log,
      background,
      trace,
      settings: settings as never,
      inbox,
      db: world.app,
      system: world.system,
    },
    ...{ cache: undefined as never, publisher: undefined as never, close: async () => {} },
  })

  const post = async (
    token: string | null,
    body: unknown,
    headers = {},
    path = "/api/v1/events",
  ): Promise<Answer<Told>> => {
    const authorization = token === null ? {} : { authorization: `Bearer ${token}` }
    const event = eventOf("POST", path, {
      headers: { ...authorization, ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    })
    const result = await outcomes(event, CONTEXT)
    if (result.statusCode === 500) throw new Error(world.logged.at(-1))
    await background.settled()
    const given = { status: result.statusCode, headers: new Headers(result.headers), text: result.body }
    return { ...given, body: JSON.parse(result.body) }
  }

  return {
    ...world,
    inbox,
    relay,
    post,
    /** As the edge tells it, or whoever says to be the edge. */
    tellAsEdge: (batch: unknown, secret = EDGE_SECRET) =>
      post(null, batch, { "hotswap-edge": secret }, "/internal/usage"),
    tell: async (token: string, ...events: object[]) => (await must(post(token, { events }), 202)).body,
    /** Everything that was counted anywhere is added up. */
    count: async () => {
      await world.platform.usage!.flush()
      return await relay.countUsage()
    },
    read: async <T>(path: string) => (await must(world.call<T>("GET", path), 200)).body,
    metrics: async (query = "") =>
      (await must(world.call("GET", `/metrics${query}`), 200)).text
        .split("\n")
        .filter((line) => line.startsWith("hotswap_tenant_")),
    close: async () => {
      await world.close()
      await redis.stop()
    },
  }
}
