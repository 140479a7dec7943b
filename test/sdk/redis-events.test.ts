import { EventEmitter } from "node:events"
import { Redis } from "ioredis"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import type { Environment } from "../../core/environment.ts"
import type { ScopeId, TenantId } from "../../core/ids.ts"
import { createBackground } from "../../functions/platform/background.ts"
import { createCache, type MoveEvent } from "../../functions/platform/cache.ts"
import { systemClock } from "../../functions/platform/clock.ts"
import { upstashSender } from "../../functions/platform/redis-upstash.ts"
import type { RunningRedis } from "../../local/redis/start.ts"
import { followRedis, type RedisEvents, type RedisOptions } from "../../sdk/src/redis-events.ts"
import { redisServerBinary, startRedisServer, startTestRedis } from "../support/redis.ts"
import { type RedisProxy, startRedisProxy } from "../support/redis-proxy.ts"

const PATIENTLY = { timeout: 20_000, interval: 10 }
const silent = { info: () => {}, warn: () => {}, error: () => {} }

/** Tells of moves as the service does. */
const publisherTo = (redis: { url: string; token: string }) => {
  const cache = createCache({
    send: upstashSender(redis),
    clock: systemClock,
    log: silent,
    background: createBackground(silent),
    ttlSeconds: 300,
  })
  return (scope: string, revision: string, more: Partial<MoveEvent> = {}) =>
    cache.store("acme" as TenantId, "Production" as Environment, {
      event: {
        type: "tenant_config",
        scope: scope as ScopeId,
        environment: "Production" as Environment,
        revision,
        ...more,
      },
    })
}

/** How often a client is asked to look, and what for. */
const createClient = () => {
  const looks: string[] = []
  let bare = 0
  return {
    /** For a revision that was told. */
    looks,
    /** Because something may have been missed. */
    bare: () => bare,
    reload: async (atLeast?: string) => {
      if (atLeast === undefined) bare++
      else looks.push(atLeast)
    },
  }
}

const follow = (client: ReturnType<typeof createClient>, redis: RedisOptions["redis"], tier?: string) =>
  followRedis(client, {
    tenantId: "acme",
    environment: "Production",
    redis,
    ...(tier === undefined ? {} : { tier }),
  })

let redis: RunningRedis
let proxy: RedisProxy
let publish: ReturnType<typeof publisherTo>
let client: ReturnType<typeof createClient>
let events: RedisEvents

/** How many hear what is said on this channel; what it is means nothing to anybody. */
const hearers = async (channel: string): Promise<number> => {
  const answer = await fetch(redis.url, {
    method: "POST",
    headers: { authorization: `Bearer ${redis.token}` },
    body: JSON.stringify(["PUBLISH", channel, "{}"]),
  })
  return ((await answer.json()) as { result: number }).result
}
const standing = async (clients = 1) => {
  for (const channel of ["hotswap:{acme}:events", "hotswap:{~platform}:events"])
    await expect.poll(() => hearers(channel), PATIENTLY).toBe(clients)
}

beforeEach(async () => {
  redis = await startTestRedis("embedded")
  proxy = await startRedisProxy(redis)
  publish = publisherTo(redis)
  client = createClient()
  events = follow(client, proxy)
  await standing()
})
afterEach(async () => {
  events.close()
  await proxy.close()
  await redis.stop()
})

const looked = (atLeast: string) => expect.poll(() => client.looks, PATIENTLY).toContain(atLeast)

describe("over Upstash's protocol, a client", () => {
  test("looks again, for nothing older than what was told, when its tenant or the platform moved", async () => {
    await publish("acme", "1.4.2.17")
    await looked("1.4.2.17")
    await publish("~platform", "1.5.0.0", { type: "global_config" })
    await looked("1.5.0.0")
    await publish("acme", "1.5.2.17", { type: "feature_flag", reload: true })
    await looked("1.5.2.17")
  })

  test("leaves alone what is another tenant's, environment's or tier's, and what is no message", async () => {
    await publish("globex", "1.0.0.1")
    await publish("acme", "1.0.0.2", { environment: "QA" as Environment })
    await publish("~tier.Pro", "1.0.9.0", { type: "global_config" })
    const post = (message: string) =>
      fetch(redis.url, {
        method: "POST",
        headers: { authorization: `Bearer ${redis.token}` },
        body: JSON.stringify(["PUBLISH", "hotswap:{acme}:events", message]),
      })
    for (const message of ["", "null", "{", "[1]", '{"environment":"QA"}']) await post(message)
    await publish("acme", "1.0.0.3")
    await looked("1.0.0.3")
    expect(client.looks).toEqual(["1.0.0.3"])
  })

  test("of a tier hears of that tier", async () => {
    const pro = createClient()
    const following = follow(pro, proxy, "Pro")
    await standing(2)
    await publish("~tier.Free", "1.0.7.0", { type: "global_config" })
    await publish("~tier.Pro", "1.0.9.0", { type: "global_config" })
    await expect.poll(() => pro.looks, PATIENTLY).toEqual(["1.0.9.0"])
    following.close()
    await publish("acme", "1.0.9.1")
    await looked("1.0.9.1")
    expect(client.looks).toEqual(["1.0.9.1"])
  })

  test("looks again when Redis is back, and then goes on hearing", async () => {
    proxy.set("down")
    await expect.poll(() => proxy.subscriptions().open, PATIENTLY).toBe(0)
    const before = client.bare()
    proxy.set("up")
    await standing()
    await expect.poll(() => client.bare(), PATIENTLY).toBeGreaterThan(before)
    await publish("acme", "1.0.0.8")
    await looked("1.0.0.8")
  })

  test("that lets go leaves nothing behind", async () => {
    events.close()
    await expect.poll(() => proxy.subscriptions().open, PATIENTLY).toBe(0)
  })
})

test("a client looks once for all that was heard while it was looking, and for the newest of it", async () => {
  const connection = new EventEmitter()
  const held = Promise.withResolvers<void>()
  const looks: (string | undefined)[] = []
  const reload = async (atLeast?: string) => {
    looks.push(atLeast)
    await held.promise
  }
  const redis = Object.assign(connection, { subscribe: async () => 1, unsubscribe: async () => 0 })
  const following = followRedis({ reload }, { tenantId: "acme", environment: "Production", redis })
  const tell = (revision: string, scope = "acme") =>
    connection.emit(
      "message",
      `hotswap:{${scope}}:events`,
      JSON.stringify({ environment: "Production", revision }),
    )
  for (const revision of ["1.0.0.1", "1.0.0.4", "1.0.0.2", "1.0.0.4"]) tell(revision)
  tell("1.3.0.0", "~platform")
  held.resolve()
  await expect.poll(() => looks, PATIENTLY).toEqual(["1.0.0.1", "1.3.0.4"])
  following.close()
  tell("1.0.0.9")
  expect(connection.listenerCount("message")).toBe(0)
})

test("a client that subscribes again and again, for days, leaves nothing of it behind", async () => {
  vi.useFakeTimers()
  const listeners: string[] = []
  const add = vi
    .spyOn(AbortSignal.prototype, "addEventListener")
    .mockImplementation(() => void listeners.push("on"))
  const remove = vi
    .spyOn(AbortSignal.prototype, "removeEventListener")
    .mockImplementation(() => void listeners.pop())
  let asked = 0
  const away = async () => {
    asked++
    throw new TypeError("fetch failed")
  }
  const redis = { url: "http://redis.test", token: "t", fetch: away }
  const following = followRedis(createClient(), { tenantId: "acme", environment: "Production", redis })
  try {
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(asked).toBeGreaterThan(100)
    // Those of the pauses, and of what else is under way here.
    expect(listeners.length).toBeLessThan(10)
  } finally {
    add.mockRestore()
    remove.mockRestore()
    vi.useRealTimers()
    following.close()
  }
})

const isAway = redisServerBinary() === null && process.env.CI !== "true"
describe.skipIf(isAway)("over a connection of the application's own", () => {
  test("a client looks again at each move, also after Redis was away, and the connection stays the application's", async () => {
    const server = await startRedisServer()
    const [own, other] = [new Redis(server.url), new Redis(server.url)]
    const mine = createClient()
    const following = followRedis(mine, { tenantId: "acme", environment: "Production", redis: own })
    try {
      const tell = (revision: string) =>
        other.publish("hotswap:{acme}:events", JSON.stringify({ environment: "Production", revision }))
      await expect.poll(() => mine.bare(), PATIENTLY).toBeGreaterThan(0)
      await tell("1.0.0.1")
      await expect.poll(() => mine.looks, PATIENTLY).toContain("1.0.0.1")
      const before = mine.bare()
      await other.call("CLIENT", "KILL", "TYPE", "pubsub")
      await expect.poll(() => mine.bare(), PATIENTLY).toBeGreaterThan(before)
      await expect.poll(() => tell("1.0.0.2"), PATIENTLY).toBe(1)
      await expect.poll(() => mine.looks, PATIENTLY).toContain("1.0.0.2")
      following.close()
      await expect.poll(() => other.pubsub("CHANNELS"), PATIENTLY).toEqual([])
      expect(own.status).toBe("ready")
    } finally {
      for (const connection of [own, other]) connection.disconnect()
      await server.stop()
    }
  })
})
