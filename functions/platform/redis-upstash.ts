import { Redis } from "@upstash/redis"
import {
  inSpans,
  REDIS_DEADLINE_MS,
  type RedisCommand,
  type RedisReply,
  type RedisSender,
  type SenderOptions,
} from "./redis-sender.ts"

type AnyPipeline = ReturnType<Redis["pipeline"]>

const add = (pipeline: AnyPipeline, command: RedisCommand): unknown => {
  switch (command[0]) {
    case "PING":
      return pipeline.ping()
    case "GET":
      return pipeline.get(command[1])
    case "MGET":
      return pipeline.mget(...command.slice(1))
    case "HMGET":
      return pipeline.hmget(command[1], ...command.slice(2))
    case "SET":
      return pipeline.set(command[1], command[2], { ex: Number(command[4]) })
    case "EVAL":
      return pipeline.eval(
        command[1],
        command.slice(3, 3 + Number(command[2])),
        command.slice(3 + Number(command[2])),
      )
    case "SCAN":
      return pipeline.scan(command[1], { match: command[3], count: Number(command[5]) })
    case "UNLINK":
      return pipeline.unlink(...command.slice(1))
    case "PUBLISH":
      return pipeline.publish(command[1], command[2])
    default:
      return command satisfies never
  }
}

/** `@upstash/redis` with everything it does by itself turned off. */
export const upstashSender = ({ url, token, deadlineMs = REDIS_DEADLINE_MS }: SenderOptions): RedisSender => {
  const redis = new Redis({
    url,
    token,
    // `retry: false` still sends a second time when the first could not connect.
    retry: { retries: 0 },
    automaticDeserialization: false,
    enableAutoPipelining: false,
    enableTelemetry: false,
    readYourWrites: false,
    signal: () => AbortSignal.timeout(deadlineMs),
  })
  return inSpans(async (commands) => {
    const pipeline: AnyPipeline = redis.pipeline()
    for (const command of commands) add(pipeline, command)
    return (await pipeline.exec()) as RedisReply[]
  })
}
