import { pauseAfter } from "./failures.ts"
import { later, pause } from "./timer.ts"

/** Upstash, over its REST interface. */
export interface UpstashRedis {
  url: string
  token: string
  fetch?: typeof fetch
}

/**
 * A connection of the application's own that does nothing but subscribe, such as `new Redis(url)` of `ioredis`. It comes
 * back by itself, subscribed to what it was, and says `ready` then.
 */
export interface RedisConnection {
  subscribe(...channels: string[]): Promise<unknown>
  unsubscribe(...channels: string[]): Promise<unknown>
  on(event: "message", listener: (channel: string, message: string) => void): unknown
  on(event: "ready", listener: () => void): unknown
  off(event: "message" | "ready", listener: never): unknown
}

export interface Heard {
  /** The subscriptions stand; what was said before is lost. */
  subscribed(): void
  message(channel: string, text: string): void
  failed(error: unknown): void
}

const CONNECT_MS = 5_000
/** Upstash sends nothing while nothing happens: only a new connection tells a quiet one from a dead one. */
const SILENCE_MS = 300_000

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ""
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const lines = (rest + decoder.decode(value, { stream: true })).split(/\r?\n/)
    rest = lines.pop()!
    yield* lines
  }
}

/** One subscription from its beginning to its end. */
const subscribeOnce = async (
  { url, token, fetch = globalThis.fetch }: UpstashRedis,
  channel: string,
  heard: Heard,
  over: AbortSignal,
): Promise<void> => {
  const broken = new AbortController()
  const breakOff = () => broken.abort(new Error("Redis says nothing."))
  let cancel = later(CONNECT_MS, breakOff)
  try {
    const response = await fetch(`${url.replace(/\/+$/, "")}/subscribe/${encodeURIComponent(channel)}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, accept: "text/event-stream" },
      signal: AbortSignal.any([over, broken.signal]),
    })
    if (response.status !== 200 || response.body === null) {
      await response.body?.cancel()
      throw new Error(`Redis answered ${response.status}.`)
    }
    // `subscribe,{channel},1`, then `message,{channel},{message}`; only the message may hold commas.
    const opening = `message,${channel},`
    for await (const line of linesOf(response.body)) {
      cancel()
      cancel = later(SILENCE_MS, breakOff)
      const data = line.startsWith("data:") ? line.slice(5).trimStart() : ""
      if (data.startsWith("subscribe,")) heard.subscribed()
      else if (data.startsWith(opening)) heard.message(channel, data.slice(opening.length))
    }
  } finally {
    cancel()
  }
}

const subscribeUpstash = async (redis: UpstashRedis, channel: string, heard: Heard, over: AbortSignal) => {
  let failures = 0
  const counted: Heard = {
    ...heard,
    subscribed: () => {
      failures = 0
      heard.subscribed()
    },
  }
  while (!over.aborted) {
    await subscribeOnce(redis, channel, counted, over).catch((error: unknown) => {
      if (!over.aborted) heard.failed(error)
    })
    if (over.aborted) return
    failures++
    // Never together with others who lost the same server.
    await pause(pauseAfter(failures), over)
  }
}

const subscribeConnection = (
  redis: RedisConnection,
  channels: readonly string[],
  heard: Heard,
  over: AbortSignal,
): void => {
  const message = (channel: string, text: string) => {
    if (channels.includes(channel)) heard.message(channel, text)
  }
  redis.on("message", message)
  redis.on("ready", heard.subscribed)
  redis.subscribe(...channels).then(heard.subscribed, heard.failed)
  over.addEventListener("abort", () => {
    redis.off("message", message as never)
    redis.off("ready", heard.subscribed as never)
    redis.unsubscribe(...channels).catch(() => undefined)
  })
}

/** Hears what is said on these channels until it is over. Never throws. */
export const subscribe = (
  redis: UpstashRedis | RedisConnection,
  channels: readonly string[],
  heard: Heard,
  over: AbortSignal,
): void => {
  if ("subscribe" in redis) subscribeConnection(redis, channels, heard, over)
  else for (const channel of channels) void subscribeUpstash(redis, channel, heard, over)
}
