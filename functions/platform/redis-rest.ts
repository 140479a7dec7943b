import {
  inSpans,
  REDIS_DEADLINE_MS,
  type RedisReply,
  type RedisSender,
  type SenderOptions,
} from "./redis-sender.ts"

interface Answer {
  result?: RedisReply
  error?: string
}

/**
 * Speaks the Upstash REST protocol with `fetch` alone. For the read function: `@upstash/redis` is 80 KB of
 * a bundle that may have 120, and costs several times the CPU of the request it sends.
 */
export const restSender = ({ url, token, deadlineMs = REDIS_DEADLINE_MS }: SenderOptions): RedisSender => {
  const endpoint = `${url.replace(/\/$/, "")}/pipeline`
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
  return inSpans(async (commands) => {
    const response = await fetch(endpoint, {
      method: "POST",
      headers,
      body: JSON.stringify(commands),
      signal: AbortSignal.timeout(deadlineMs),
    })
    if (!response.ok) {
      await response.body?.cancel()
      throw new Error(`Redis answered ${response.status}`)
    }
    const answers = (await response.json()) as Answer[]
    if (!Array.isArray(answers)) throw new Error("Redis answered something else than replies")
    return answers.map(({ result, error }, i) => {
      if (error !== undefined) throw new Error(`Redis refused ${commands[i]?.[0]}: ${error}`)
      return result ?? null
    })
  })
}
