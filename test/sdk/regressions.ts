import { isNewer, parseRevision } from "../../core/release/revision.ts"
import { startRedis } from "../../local/redis/start.ts"
import { HotswapClient } from "../../sdk/src/index.ts"
import { followRedis } from "../../sdk/src/redis-events.ts"
import { chanceOf } from "../fuzz/chance.ts"
import { type RunningHotswap, removeHome, startHotswap, temporaryHome } from "../support/hotswap.ts"
import { startRedisProxy } from "../support/redis-proxy.ts"
import { connectStream, type StreamReader } from "../support/stream.ts"

const ENVIRONMENT = "Development"
const KEY = "counted"

export interface Disturbed {
  passed: number
  dropped: number
  repeated: number
  late: number
}

/** Drops every fourth message, tells every fourth twice, and holds every fourth back until others have come. */
const createDisturbance = (seed: number) => {
  const chance = chanceOf(seed, 0)
  const counts: Disturbed = { passed: 0, dropped: 0, repeated: 0, late: 0 }
  let held: string[] = []
  const release = (): string[] => {
    const released = chance.of(0.5) ? held.reverse() : held
    held = []
    return released
  }
  const alter = (event: string): string[] => {
    if (!event.startsWith("data: pmessage") && !event.startsWith("data: message")) return [event]
    const before = held.length >= chance.below(4) ? release() : []
    switch (chance.below(4)) {
      case 0:
        counts.dropped++
        return before
      case 1:
        counts.repeated++
        return [...before, event, event]
      case 2:
        counts.late++
        held.push(event)
        return before
      default:
        counts.passed++
        // Whatever was held back comes after it.
        return [event, ...before]
    }
  }
  return { alter, counts }
}

/** One who listens, and what he saw last. */
interface Watcher {
  name: string
  revision: string
  value: number
  seen: number
}

export interface Found {
  updates: number
  disturbed: Disturbed
  /** How often watchers saw something new. */
  seen: number
  /** Who saw something older after something newer. */
  regressions: string[]
  /** Who did not end where things are. */
  behind: string[]
}

const must = async (hotswap: RunningHotswap, method: string, path: string, body: unknown) => {
  const answer = await hotswap.call<{ token: string }>(method, path, { body })
  if (answer.status >= 300)
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body
}

const createTenant = async (hotswap: RunningHotswap, tenantId: string): Promise<string> => {
  await must(hotswap, "POST", "/api/v1/tenants", { tenantId, name: tenantId })
  const config = { tenantId, environment: ENVIRONMENT, key: KEY, value: 0 }
  await must(hotswap, "POST", "/api/v1/configs", config)
  const reader = { subject: "app", roles: ["reader"], environment: ENVIRONMENT }
  return (await must(hotswap, "POST", `/api/v1/tenants/${tenantId}/tokens`, reader)).token
}

/** Watches a tenant with clients that hear of moves in each way there is. */
const createWatch = (hotswap: RunningHotswap, redis: { url: string; token: string }, found: Found) => {
  const ends: (() => unknown)[] = []
  const saw = (watcher: Watcher, revision: string, value: number | null): void => {
    const [next, before] = [parseRevision(revision), parseRevision(watcher.revision)]
    const isBack = next === null || (before !== null && isNewer(before, next))
    if (isBack || (value !== null && value < watcher.value))
      found.regressions.push(`${watcher.name}: ${watcher.revision}/${watcher.value} → ${revision}/${value}`)
    if (revision === watcher.revision) return
    Object.assign(watcher, { revision, value: value ?? watcher.value, seen: watcher.seen + 1 })
    found.seen++
  }
  const watchClient = async (name: string, tenantId: string, token: string, stream: boolean) => {
    const client = new HotswapClient({ url: hotswap.url, token, tenantId, stream, report: false })
    const watcher: Watcher = { name, revision: "", value: 0, seen: 0 }
    ends.push(() => client.close())
    const look = () => saw(watcher, client.view().revision, client.get(KEY) as number)
    client.on("changed", look)
    await client.ready()
    return { client, watcher, look }
  }
  const watchStream = async (name: string, token: string): Promise<StreamReader> => {
    const stream = await connectStream(`${hotswap.url}/api/v1/stream`, token)
    const watcher: Watcher = { name, revision: "", value: 0, seen: 0 }
    ends.push(() => stream.close())
    void (async () => {
      for (let event = await stream.next(); event !== null; event = await stream.next())
        saw(watcher, event.id, null)
    })()
    return stream
  }
  return {
    tenant: async (tenantId: string, token: string) => {
      const clients = [
        await watchClient(`${tenantId} one`, tenantId, token, true),
        await watchClient(`${tenantId} two`, tenantId, token, true),
        await watchClient(`${tenantId} by Redis`, tenantId, token, false),
      ]
      const direct = clients[2]!.client
      const events = followRedis(direct, { tenantId, environment: ENVIRONMENT, redis })
      ends.push(() => events.close())
      const stream = await watchStream(`${tenantId} raw`, token)
      return { clients, stream }
    },
    end: async () => void (await Promise.all(ends.map((end) => end()))),
  }
}

const LOOK_MS = 100
const LOOKS_MAX = 600

/** Waits until all of them have the last value; who never has is behind. */
const settle = async (
  watched: Awaited<ReturnType<ReturnType<typeof createWatch>["tenant"]>>[],
  last: number,
) => {
  const behind = () =>
    watched.flatMap(({ clients, stream }) => {
      for (const { look } of clients) look()
      const [revision] = clients.map(({ client }) => client.view().revision)
      return [
        ...clients.filter(({ client }) => client.get(KEY) !== last).map(({ watcher }) => watcher.name),
        ...(stream.events.at(-1)?.id === revision ? [] : [`a stream, at ${stream.events.at(-1)?.id}`]),
      ]
    })
  for (let looks = 0; behind().length > 0 && looks < LOOKS_MAX; looks++)
    await new Promise((next) => setTimeout(next, LOOK_MS))
  return behind()
}

/**
 * So many updates of so many tenants, one after the other in each, over all of the service, while what Redis says reaches the
 * hubs and the clients incomplete, repeated and out of order.
 */
export const updateUnderDisturbance = async (options: {
  updates: number
  tenants: number
  seed: number
}): Promise<Found> => {
  const { alter, counts } = createDisturbance(options.seed)
  const redis = await startRedis()
  const proxy = await startRedisProxy(redis, alter)
  const env = { UPSTASH_REDIS_REST_URL: proxy.url, UPSTASH_REDIS_REST_TOKEN: proxy.token }
  const hotswap = await startHotswap({ home: await temporaryHome(), env })
  const found: Found = { updates: 0, disturbed: counts, seen: 0, regressions: [], behind: [] }
  const watch = createWatch(hotswap, proxy, found)
  try {
    const names = Array.from({ length: options.tenants }, (_, i) => `regress-${i}`)
    const watched = []
    for (const name of names) watched.push(await watch.tenant(name, await createTenant(hotswap, name)))
    const last = Math.ceil(options.updates / options.tenants)
    await Promise.all(
      names.map(async (name) => {
        for (let value = 1; value <= last; value++) {
          await must(hotswap, "PUT", `/api/v1/configs/${name}:${ENVIRONMENT}:${KEY}`, { value })
          found.updates++
        }
      }),
    )
    found.behind = await settle(watched, last)
    return found
  } finally {
    await watch.end()
    await hotswap.kill("group")
    await removeHome(hotswap.home)
    await proxy.close()
    await redis.stop()
  }
}
