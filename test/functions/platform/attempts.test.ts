import { afterAll, describe, expect, test } from "vitest"
import { ATTEMPTS_MAX, createAttempts, WINDOW_MS } from "../../../functions/platform/attempts.ts"
import { createBackground } from "../../../functions/platform/background.ts"
import type { RedisSender } from "../../../functions/platform/redis-sender.ts"
import { upstashSender } from "../../../functions/platform/redis-upstash.ts"
import type { RunningRedis } from "../../../local/redis/start.ts"
import { redisServerBinary, startTestRedis } from "../../support/redis.ts"
import { silentLog } from "./fakes.ts"

const running: RunningRedis[] = []
afterAll(async () => {
  await Promise.all(running.map((redis) => redis.stop()))
})

const START_MS = 1_000 * WINDOW_MS
const MAX = ATTEMPTS_MAX.address

/** A process that counts, with a clock that several may share. */
const processOf = (send: RedisSender | null, clock = { ms: START_MS }) => {
  const log = silentLog()
  const background = createBackground(log)
  const attempts = createAttempts({
    clock: { nowMs: () => clock.ms, now: () => new Date(clock.ms) },
    log,
    background,
    send,
  })
  const fail = (times: number, address = "a"): boolean[] =>
    Array.from({ length: times }, () => attempts.failed({ address }))
  return { attempts, clock, fail, settled: () => background.settled() }
}

describe("failures to say who one is", () => {
  test("are let pass up to the limit, and no further", () => {
    const { fail } = processOf(null)
    expect(fail(MAX)).not.toContain(true)
    expect(fail(3)).toEqual([true, true, true])
    expect(fail(1, "b")).toEqual([false])
  })

  test("go out of the window bit by bit, so that nothing is gained by waiting for the minute to turn", () => {
    const { fail, clock } = processOf(null)
    clock.ms = START_MS + WINDOW_MS - 1
    fail(MAX)
    clock.ms += 1
    expect(fail(1)).toEqual([true])
    clock.ms += WINDOW_MS / 2
    expect(fail(MAX / 2 - 1)).not.toContain(true)
    expect(fail(1)).toEqual([true])
    clock.ms += 2 * WINDOW_MS
    expect(fail(MAX)).not.toContain(true)
  })

  test("count against the token they claim to be as well", () => {
    const { attempts } = processOf(null)
    const failed = (at: number) => attempts.failed({ address: `address-${at}`, token: "acme:tok_1" })
    const answers = Array.from({ length: ATTEMPTS_MAX.token + 1 }, (_, at) => failed(at))
    expect(answers.slice(0, -1)).not.toContain(true)
    expect(answers.at(-1)).toBe(true)
  })

  test("are counted here when Redis fails, and nobody waits for it", async () => {
    let asked = 0
    const { fail, settled } = processOf(async () => {
      asked++
      throw new Error("down")
    })
    expect(fail(MAX)).not.toContain(true)
    await settled()
    expect(fail(1)).toEqual([true])
    await settled()
    expect(asked).toBeLessThanOrEqual(MAX)
  })

  test("are not passed on without end: a flood stays here", async () => {
    let asked = 0
    const { fail, settled } = processOf(async () => {
      asked++
      return [0]
    })
    fail(50 * MAX)
    await settled()
    expect(asked).toBeLessThanOrEqual(2 * MAX)
  })
})

const kinds = redisServerBinary() ? (["embedded", "bridge"] as const) : (["embedded"] as const)
describe.each(kinds)("with a Redis that is %s", (kind) => {
  test("several processes count together, and forget together", async () => {
    const redis = await startTestRedis(kind)
    running.push(redis)
    const send = upstashSender({ url: redis.url, token: redis.token, deadlineMs: 10_000 })
    const clock = { ms: START_MS }
    const [one, two] = [processOf(send, clock), processOf(send, clock)]
    one.fail(MAX)
    await one.settled()
    // The first is told with the answer to the one before.
    two.fail(1)
    await two.settled()
    expect(two.fail(1)).toEqual([true])
    await two.settled()
    clock.ms += 2 * WINDOW_MS
    two.fail(1)
    await two.settled()
    expect(two.fail(1)).toEqual([false])
    await two.settled()
  })
})
