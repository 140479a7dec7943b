import { asking } from "../../db/span.ts"

/** The commands Hotswap gives Redis. All arguments are strings, as they are on the wire. */
export type RedisCommand =
  | readonly ["PING"]
  | readonly ["GET", key: string]
  | readonly ["MGET", ...keys: string[]]
  | readonly ["HMGET", key: string, ...fields: string[]]
  | readonly ["SET", key: string, value: string, "EX", seconds: string]
  | readonly ["EVAL", script: string, keyCount: "1" | "2", key: string, ...args: string[]]
  | readonly ["PUBLISH", channel: string, message: string]
  | readonly ["SCAN", cursor: string, "MATCH", pattern: string, "COUNT", count: string]
  | readonly ["UNLINK", ...keys: string[]]

export type RedisReply = string | number | null | readonly (string | null | readonly string[])[]

/**
 * Sends commands in one round trip and gives one reply for each. Tries once, for at most its deadline,
 * and throws if any command failed.
 */
export type RedisSender = (commands: readonly RedisCommand[]) => Promise<readonly RedisReply[]>

export interface SenderOptions {
  /** Where the Upstash REST protocol is spoken. */
  url: string
  token: string
  deadlineMs?: number
}

/** Redis is an accelerator: what takes it longer than this is quicker without it. */
export const REDIS_DEADLINE_MS = 150

/** The sender, with a span for each time that it is asked. */
export const inSpans =
  (send: RedisSender): RedisSender =>
  (commands) =>
    asking(
      () => ({ of: "redis", commands: commands.map(([name]) => name) }),
      () => send(commands),
    )
