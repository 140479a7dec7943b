import { Redis } from "@upstash/redis"
import { afterAll } from "vitest"
import { createBackground } from "../../functions/platform/background.ts"
import { createCache } from "../../functions/platform/cache.ts"
import { lastViewKey, pointerKey, viewKeys } from "../../functions/platform/cache-keys.ts"
import { systemClock } from "../../functions/platform/clock.ts"
import { restSender } from "../../functions/platform/redis-rest.ts"
import type { RedisSender, SenderOptions } from "../../functions/platform/redis-sender.ts"
import { upstashSender } from "../../functions/platform/redis-upstash.ts"
import type { RunningRedis } from "../../local/redis/start.ts"
import { silentLog } from "../functions/platform/fakes.ts"
import { redisServerBinary, startTestRedis } from "../support/redis.ts"
import { type CacheUnderTest, cacheContract } from "./cache.contract.ts"
import { memoryCache } from "./cache-memory.ts"

const running: RunningRedis[] = []
afterAll(async () => {
  await Promise.all(running.map((redis) => redis.stop()))
})

const overRedis = async (
  kind: RunningRedis["kind"],
  sender: (options: SenderOptions) => RedisSender,
): Promise<CacheUnderTest> => {
  const redis = await startTestRedis(kind)
  running.push(redis)
  const raw = new Redis({ url: redis.url, token: redis.token, automaticDeserialization: false })
  const log = silentLog()
  return {
    // A busy machine may take longer than a reader would wait for.
    cache: createCache({
      send: sender({ url: redis.url, token: redis.token, deadlineMs: 10_000 }),
      clock: systemClock,
      log,
      background: createBackground(log),
      ttlSeconds: 300,
    }),
    nowMs: () => Date.now(),
    spoilPointer: async (tenantId, environment, text) => {
      await raw.set(pointerKey(tenantId, environment), text)
    },
    spoilLast: async ({ id, chunks }, tenantId, environment) => {
      await raw.set(lastViewKey(tenantId, environment), `${id} ${chunks[0]}`)
    },
    spoilView: async (view, tenantId, _, texts) => {
      const keys = viewKeys(tenantId, view.id, texts.length)
      for (const [i, text] of texts.entries()) await raw.set(keys[i]!, text)
    },
  }
}

cacheContract("maps", async () => {
  const cache = memoryCache(systemClock)
  return {
    cache,
    nowMs: () => Date.now(),
    spoilPointer: async (tenantId, environment, text) => {
      cache.pointers.set(`${tenantId}/${environment}`, { text, untilMs: Number.POSITIVE_INFINITY })
    },
    spoilLast: async (view, tenantId, environment) => {
      cache.last.set(`${tenantId}/${environment}`, view)
    },
    spoilView: async (view, tenantId, environment, texts) => {
      cache.views.set(`${tenantId}/${environment}/${view.id}`, [...texts])
    },
  }
})
cacheContract("@upstash/redis and the embedded Redis", () => overRedis("embedded", upstashSender))
cacheContract("plain REST and the embedded Redis", () => overRedis("embedded", restSender))
if (redisServerBinary() !== null) {
  cacheContract("@upstash/redis and a real Redis", () => overRedis("bridge", upstashSender))
  cacheContract("plain REST and a real Redis", () => overRedis("bridge", restSender))
}
