import { Redis } from "@upstash/redis"
import { afterAll, beforeAll, beforeEach, describe } from "vitest"
import type { RunningRedis } from "../../local/redis/start.ts"
import { commandContract } from "./redis-commands.contract.ts"
import { restContract } from "./redis-rest.contract.ts"
import { scriptContract } from "./redis-scripts.contract.ts"

/** What a contract test has in hand: the front, the client that the service uses, and plain HTTP. */
export interface RedisUnderTest {
  running(): RunningRedis
  client(): Redis
  /** Commands through `/pipeline`, without encoding: each one's `result` or `error`. */
  run(...commands: (string | number)[][]): Promise<unknown[]>
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>
}

/** Everything Hotswap relies on in a Redis behind Upstash's REST protocol, whichever Redis that is. */
export const redisContract = (name: string, start: () => Promise<RunningRedis>): void => {
  describe(`Redis, ${name}`, () => {
    let running: RunningRedis
    let client: Redis
    const post: RedisUnderTest["post"] = (path, body, headers = {}) =>
      fetch(running.url + path, {
        method: "POST",
        headers: { authorization: `Bearer ${running.token}`, ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      })
    const subject: RedisUnderTest = {
      running: () => running,
      client: () => client,
      post,
      run: async (...commands) => {
        const outcomes = (await (await post("/pipeline", commands)).json()) as Record<string, unknown>[]
        return outcomes.map((outcome) =>
          "error" in outcome ? new Error(String(outcome.error)) : outcome.result,
        )
      },
    }
    beforeAll(async () => {
      running = await start()
      client = new Redis({
        url: running.url,
        token: running.token,
        retry: false,
        automaticDeserialization: false,
        enableTelemetry: false,
      })
    })
    afterAll(() => running.stop())
    beforeEach(() => client.flushdb())

    commandContract(subject)
    scriptContract(subject)
    restContract(subject)
  })
}
