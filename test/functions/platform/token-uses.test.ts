import { afterAll, describe, expect, test } from "vitest"
import { PLATFORM, type ScopeId, type TokenId } from "../../../core/ids.ts"
import { createBackground } from "../../../functions/platform/background.ts"
import type { RedisSender } from "../../../functions/platform/redis-sender.ts"
import { upstashSender } from "../../../functions/platform/redis-upstash.ts"
import { createTokenUses, TOLD_EVERY_MS } from "../../../functions/platform/token-uses.ts"
import type { RunningRedis } from "../../../local/redis/start.ts"
import { redisServerBinary, startTestRedis } from "../../support/redis.ts"
import { type HandClock, handClock, silentLog } from "./fakes.ts"

const running: RunningRedis[] = []
afterAll(async () => {
  await Promise.all(running.map((redis) => redis.stop()))
})

const ACME = "acme" as ScopeId
const tokenOf = (scope: ScopeId, digit: string) => `${scope}:tok_${digit.repeat(32)}` as TokenId
const [ONE, TWO] = [tokenOf(ACME, "1"), tokenOf(ACME, "2")]

const processOf = (send: RedisSender | null, clock: HandClock = handClock()) => {
  const log = silentLog()
  const background = createBackground(log)
  const uses = createTokenUses({ clock, log, background, send })
  return {
    ...uses,
    clock,
    settled: () => background.settled(),
    note: async (...[scope, tokenId]: Parameters<typeof uses.note>) => {
      uses.note(scope, tokenId)
      await background.settled()
    },
  }
}

const kinds = redisServerBinary() ? (["embedded", "bridge"] as const) : (["embedded"] as const)
describe.each(kinds)("with a Redis that is %s", (kind) => {
  test("the latest use of each token is known to every process, and never goes back", async () => {
    const redis = await startTestRedis(kind)
    running.push(redis)
    const send = upstashSender({ url: redis.url, token: redis.token, deadlineMs: 10_000 })
    const early = processOf(send)
    const late = processOf(send, handClock(early.clock.nowMs() + 3 * TOLD_EVERY_MS))
    await late.note(ACME, ONE)
    await early.note(ACME, ONE)
    await early.note(PLATFORM, tokenOf(PLATFORM, "1"))
    const instant = (clock: HandClock) => clock.now().toISOString()
    expect(await early.last(ACME, [ONE, TWO])).toEqual(
      new Map([
        [ONE, instant(late.clock)],
        [TWO, null],
      ]),
    )
    expect(await late.last(PLATFORM, [tokenOf(PLATFORM, "1")])).toEqual(
      new Map([[tokenOf(PLATFORM, "1"), instant(early.clock)]]),
    )
  })
})

test("a token is told of once a minute, however often it is used", async () => {
  let asked = 0
  const { note, clock } = processOf(async () => {
    asked++
    return [1]
  })
  for (let use = 0; use < 1_000; use++) await note(ACME, ONE)
  expect(asked).toBe(1)
  clock.advance(TOLD_EVERY_MS - 1)
  await note(ACME, ONE)
  expect(asked).toBe(1)
  clock.advance(1)
  await note(ACME, ONE)
  expect(asked).toBe(2)
})

test("nobody waits for a Redis that fails, and what it cannot tell is not known", async () => {
  const down = processOf(async () => {
    throw new Error("down")
  })
  await down.note(ACME, ONE)
  expect(await down.last(ACME, [ONE])).toBeNull()
  expect(await processOf(null).last(ACME, [ONE])).toBeNull()
})

test.each([[["9e99"]], [["99999999999999999999"]], [["yesterday"]], [[{}]], [[null]]])(
  "%j from Redis is no time",
  async (reply) => {
    const lying = processOf(async () => [reply as never])
    expect(await lying.last(ACME, [ONE])).toEqual(new Map([[ONE, null]]))
  },
)
