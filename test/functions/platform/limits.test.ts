import { afterAll, describe, expect, test } from "vitest"
import { createBackground } from "../../../functions/platform/background.ts"
import { CacheUnavailable } from "../../../functions/platform/breaker.ts"
import { systemClock } from "../../../functions/platform/clock.ts"
import { createLimits, type Limits } from "../../../functions/platform/limits.ts"
import { restSender } from "../../../functions/platform/redis-rest.ts"
import type { RedisSender } from "../../../functions/platform/redis-sender.ts"
import type { RunningRedis } from "../../../local/redis/start.ts"
import { redisServerBinary, startTestRedis } from "../../support/redis.ts"
import { silentLog } from "./fakes.ts"
import { agreesWithModel, ask, askAt, CALLERS, crowds } from "./limit-windows.ts"

const running: RunningRedis[] = []
afterAll(async () => {
  await Promise.all(running.map((redis) => redis.stop()))
})

const start = async (kind: RunningRedis["kind"]): Promise<RedisSender> => {
  const redis = await startTestRedis(kind)
  running.push(redis)
  return restSender({ url: redis.url, token: redis.token, deadlineMs: 20_000 })
}

const toEach = async (kind: RunningRedis["kind"]) => {
  const send = await start(kind)
  return () => send
}

const limitsOver = (send: RedisSender): Limits => {
  const log = silentLog()
  return createLimits({ send, clock: systemClock, log, background: createBackground(log) })
}

const WHAT = { tenantId: "acme", environment: "Production", action: "command" } as never
const HOUR = { windowMs: 3_600_000 }

const contract = (kind: RunningRedis["kind"]): void => {
  test("whatever is asked, at whatever times, the window answers as the list of all takings would", async () => {
    await agreesWithModel(await start(kind), { runs: 60, seed: 20_261_121 })
  })

  test("of 64 callers at once never one too many gets through, and never one too few", async () => {
    const { allowed, refused } = await crowds(await toEach(kind), { rounds: 16, seed: 64 })
    expect(allowed + refused).toBe(16 * CALLERS)
    expect(allowed).toBeGreaterThan(0)
    expect(refused).toBeGreaterThan(0)
  })

  test("of several at once all are taken or none, and what is refused counts for nothing", async () => {
    const limits = limitsOver(await start(kind))
    const limit = { max: 10, ...HOUR }
    expect(await limits.take(WHAT, limit, 7)).toMatchObject({ allowed: true, used: 7, remaining: 3 })
    expect(await limits.take(WHAT, limit, 4)).toMatchObject({ allowed: false, used: 7, remaining: 3 })
    expect(await limits.look(WHAT, limit, 3)).toMatchObject({ allowed: true, used: 7, remaining: 3 })
    expect(await limits.take(WHAT, limit, 3)).toMatchObject({ allowed: true, used: 10, remaining: 0 })
    expect(await limits.take(WHAT, limit, 11)).toMatchObject({ allowed: false, retryAfterMs: null })
    await limits.reset(WHAT)
    expect(await limits.look(WHAT, limit, 1)).toMatchObject({ allowed: true, used: 0, remaining: 10 })
  })

  test("each tenant, environment and action has a window of its own", async () => {
    const limits = limitsOver(await start(kind))
    const limit = { max: 1, ...HOUR }
    expect(await limits.take(WHAT, limit, 1)).toMatchObject({ allowed: true })
    for (const other of [{ tenantId: "globex" }, { environment: "Staging" }, { action: "command2" }])
      expect(await limits.take({ ...(WHAT as object), ...other } as never, limit, 1)).toMatchObject({
        used: 1,
      })
    expect(await limits.take(WHAT, limit, 1)).toMatchObject({ allowed: false, used: 1 })
  })

  test("what a window keeps is bounded; what is merged for it counts at least as long, and hardly longer", async () => {
    const send = await start(kind)
    const key = "hotswap:{bound}"
    const [apart, window, begin] = [8, 800, 1_700_000_000_000_000]
    const asked = { many: 1, taking: true, max: 1_000, window }
    const times: number[] = []
    const within = (from: number, to: number) => times.filter((time) => time > from && time <= to).length
    for (let i = 0; i < 300; i++) {
      const now = begin + 9 * i
      times.push(now)
      const { used } = await askAt(send, key, asked, now, apart)
      expect(used).toBeGreaterThanOrEqual(within(now - window, now))
      expect(used).toBeLessThanOrEqual(within(now - window - window / apart, now))
    }
    const [members] = await send([["EVAL", "return redis.call('ZCARD', KEYS[1])", "1", key]])
    expect(members).toBeLessThanOrEqual(2 * apart + 1)
    // Nothing of the last part of a window has fallen out just before the whole of it has.
    const end = times.at(-1)! + window
    expect((await askAt(send, key, { ...asked, taking: false }, end, apart)).used).toBe(0)
  })

  test("a clock that goes back lets nobody through, and holds nobody up for longer than a window", async () => {
    const send = await start(kind)
    const asked = { many: 1, taking: true, max: 2, window: 1_000 }
    const at = 1_700_000_000_000_000
    for (const _ of [1, 2]) await askAt(send, "hotswap:{back}", asked, at)
    expect(await askAt(send, "hotswap:{back}", asked, at - 1_000)).toMatchObject({ fits: false, at })
    expect(await askAt(send, "hotswap:{back}", asked, at - 1_001)).toMatchObject({ fits: true, used: 1 })
  })

  test("a window that is not asked about any more is forgotten", async () => {
    const send = await start(kind)
    await ask(send, "hotswap:{old}", { many: 1, taking: true, max: 2, window: 1_000_000 })
    const [left] = await send([["EVAL", "return redis.call('PTTL', KEYS[1])", "1", "hotswap:{old}"]])
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThanOrEqual(2_001)
  })

  test("a limit that is none asks nobody", async () => {
    const limits = limitsOver(() => Promise.reject(new Error("asked")))
    expect(await limits.take(WHAT, { max: -1, ...HOUR }, 1_000_000)).toMatchObject({
      allowed: true,
      limit: -1,
      remaining: -1,
      used: 0,
      retryAfterMs: 0,
    })
  })
}

describe("windows in the embedded Redis", () => contract("embedded"))
describe.skipIf(redisServerBinary() === null)("windows in a real Redis", () => contract("bridge"))

test("in continuous integration windows are held against a real Redis too", () => {
  if (process.env.CI === "true") expect(redisServerBinary(), "install redis-server").not.toBeNull()
})

test.each(["embedded", "bridge"] as const)(
  "a Redis that was started again (%s) forgives what was taken, once",
  async (kind) => {
    if (kind === "bridge" && redisServerBinary() === null) return
    const limit = { max: 3, ...HOUR }
    const outcomes: boolean[] = []
    for (let life = 0; life < 2; life++) {
      const redis = await startTestRedis(kind)
      const limits = limitsOver(restSender({ ...redis, deadlineMs: 20_000 }))
      for (let i = 0; i < 5; i++) outcomes.push((await limits.take(WHAT, limit, 1)).allowed)
      await redis.stop()
    }
    expect(outcomes.filter(Boolean)).toHaveLength(2 * limit.max)
  },
)

test("without Redis nobody is told that it fits, and nobody that it does not", async () => {
  const limits = limitsOver(() => Promise.reject(new Error("no Redis")))
  await expect(limits.take(WHAT, { max: 1, ...HOUR }, 1)).rejects.toThrow(CacheUnavailable)
  await expect(limits.look(WHAT, { max: 1, ...HOUR }, 1)).rejects.toThrow(CacheUnavailable)
  await expect(limits.reset(WHAT)).rejects.toThrow(CacheUnavailable)
})
