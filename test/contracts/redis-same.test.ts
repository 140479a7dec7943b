import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Command, Outcome, RedisBackend } from "../../local/redis/backend.ts"
import { bridgeToRedis } from "../../local/redis/bridge.ts"
import { embeddedRedis } from "../../local/redis/embedded/server.ts"
import { redisServerBinary, startRedisServer } from "../support/redis.ts"

const key = fc.constantFrom("a", "b", "c")
const word = fc.constantFrom("x", "y", "zz", "1", "-3", "2.5", "", "grün")
const number = fc.constantFrom("0", "1", "2", "-1", "5", "(1", "inf", "-inf", "2.5", "none")
const command = (name: string, ...args: fc.Arbitrary<string>[]): fc.Arbitrary<Command> =>
  fc.tuple(fc.constant(name), ...args)
const flag = (...names: string[]): fc.Arbitrary<string> => fc.constantFrom(...names)

/** Commands whose answers do not hang on the clock or on an order that Redis leaves open. */
const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  command("SET", key, word),
  command("SET", key, word, flag("NX", "xx", "GET", "KEEPTTL", "bad")),
  command("GET", key),
  command("GETDEL", key),
  command("APPEND", key, word),
  command("STRLEN", key),
  command("GETRANGE", key, number, number),
  command("INCRBY", key, number),
  command("INCRBYFLOAT", key, number),
  command("DEL", key),
  command("TYPE", key),
  command("EXPIRE", key, flag("1000", "-1", "x"), flag("NX", "XX", "GT", "LT")),
  command("PERSIST", key),
  command("RENAME", key, key),
  command("HSET", key, word, word),
  command("HINCRBY", key, word, number),
  command("HDEL", key, word),
  command("HGET", key, word),
  command("HLEN", key),
  command("SADD", key, word, word),
  command("SREM", key, word),
  command("SMOVE", key, key, word),
  command("SCARD", key),
  command("LPUSH", key, word, word),
  command("RPUSH", key, word),
  command("LPOP", key, flag("0", "1", "2", "-1")),
  command("LRANGE", key, number, number),
  command("LREM", key, number, word),
  command("LTRIM", key, number, number),
  command("LSET", key, number, word),
  command("LMOVE", key, key, flag("LEFT", "right", "up"), flag("LEFT", "RIGHT")),
  command("ZADD", key, number, word),
  command("ZADD", key, flag("NX", "XX", "GT", "LT", "CH", "INCR"), number, word),
  command("ZINCRBY", key, number, word),
  command("ZREM", key, word),
  command("ZRANK", key, word),
  command("ZCOUNT", key, number, number),
  command("ZRANGE", key, number, number, flag("WITHSCORES", "REV", "BYSCORE")),
  command("ZREVRANGEBYSCORE", key, number, number, fc.constant("LIMIT"), number, number),
  command("ZREMRANGEBYSCORE", key, number, number),
  command("ZREMRANGEBYRANK", key, number, number),
  command("ZPOPMAX", key, number),
)

/** Where a command has two faults, which of them is told is left open. */
const answers = (outcomes: readonly Outcome[]): unknown[] =>
  outcomes.map((outcome) => ("error" in outcome ? "a fault" : outcome.result))

describe.skipIf(redisServerBinary() === null)("beside redis-server", () => {
  let server: Awaited<ReturnType<typeof startRedisServer>>
  let real: RedisBackend
  const embedded = embeddedRedis()
  beforeAll(async () => {
    server = await startRedisServer()
    real = await bridgeToRedis(server.url)
  })
  afterAll(async () => {
    await real.close()
    await embedded.close()
    await server.stop()
  })

  test("the embedded Redis answers any sequence of commands as the real one does", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyCommand, { minLength: 1, maxLength: 40 }), async (commands) => {
        const batch = [["FLUSHDB"], ...commands]
        expect(answers(await embedded.run(batch, "plain"))).toEqual(answers(await real.run(batch, "plain")))
      }),
      { seed: 20260806, numRuns: 400 },
    )
  })
})
