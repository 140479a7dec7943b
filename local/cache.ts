import { startRedis } from "./redis/start.ts"
import type { Secrets } from "./secrets.ts"
import { type LocalSettings, StartError } from "./settings.ts"

export interface RunningCache {
  /** For people: what it is and where. */
  description: string
  url: string
  token: string
  stop(): Promise<void>
}

/** Starts the Redis that speaks Upstash's protocol, or takes the one that the settings name. */
export const startCache = async (
  { redis }: Pick<LocalSettings, "redis">,
  secrets: Secrets,
): Promise<RunningCache> => {
  if (redis.kind === "upstash")
    return { ...redis, description: `Upstash's at ${new URL(redis.url).host}`, stop: async () => undefined }
  const token = secrets.redisToken
  if (redis.kind === "embedded")
    return {
      ...(await startRedis({ token })),
      description: "embedded, in memory: a cache, nothing is kept in it",
    }
  const { host } = new URL(redis.url)
  try {
    const front = await startRedis({ token, redisUrl: redis.url })
    return { ...front, description: `the server at ${host}, through an Upstash front` }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new StartError(
      `REDIS_URL: no Redis answers at ${host} (${reason}): start it, or leave REDIS_URL out`,
      {
        cause: error,
      },
    )
  }
}
