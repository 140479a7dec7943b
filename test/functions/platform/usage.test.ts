import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { TenantId } from "../../../core/ids.ts"
import type { UsageBatch } from "../../../core/usage/batch.ts"
import { HANDED_EVERY_MS } from "../../../core/usage/meters.ts"
import { createBackground } from "../../../functions/platform/background.ts"
import { CacheUnavailable } from "../../../functions/platform/breaker.ts"
import { upstashSender } from "../../../functions/platform/redis-upstash.ts"
import { createUsage } from "../../../functions/platform/usage.ts"
import { createUsageInbox } from "../../../functions/platform/usage-inbox.ts"
import type { RunningRedis } from "../../../local/redis/start.ts"
import { redisServerBinary, startTestRedis } from "../../support/redis.ts"
import { handClock, silentLog } from "./fakes.ts"

const ACME = "acme" as TenantId
const SEEN = { tenantId: ACME, route: "/r", method: "GET", status: 200, user: "ann", durationMs: 2 }

/** One process, and what it handed on; while `down` nobody takes anything. */
const processOf = () => {
  const clock = handClock()
  const log = silentLog()
  const background = createBackground(log)
  const put: UsageBatch[] = []
  const state = { down: false }
  const inbox = {
    put: async (batch: UsageBatch) => {
      if (state.down) throw new CacheUnavailable("away")
      put.push(batch)
      return true
    },
  }
  const usage = createUsage({ clock, background, inbox })
  const request = async () => {
    usage.request(SEEN)
    await background.settled()
  }
  return { ...usage, clock, put, state, seen: request }
}

const countsOf = (batches: readonly UsageBatch[]): number[] =>
  batches.map(({ tenants }) => tenants[ACME]!.requests.reduce((sum, [, , , , count]) => sum + count, 0))

test("what is counted is handed on with the first request, and then every few seconds", async () => {
  const one = processOf()
  for (let nth = 0; nth < 3; nth++) await one.seen()
  expect(countsOf(one.put)).toEqual([1])
  one.clock.advance(HANDED_EVERY_MS)
  await one.seen()
  expect(countsOf(one.put)).toEqual([1, 3])
  expect(one.put.map(({ seq }) => seq)).toEqual([1, 2])
})

test("while nobody takes it nothing is lost, and what may have been taken keeps its number", async () => {
  const one = processOf()
  one.state.down = true
  for (let nth = 0; nth < 4; nth++) {
    await one.seen()
    one.clock.advance(HANDED_EVERY_MS)
  }
  one.state.down = false
  await one.flush()
  await one.flush()
  expect(countsOf(one.put)).toEqual([1, 3])
  expect(one.put.map(({ seq }) => seq)).toEqual([1, 2])
  expect(new Set(one.put.map(({ instance }) => instance)).size).toBe(1)
})

test("what cannot be handed on for long takes no more memory than it may", async () => {
  const one = processOf()
  one.state.down = true
  for (let nth = 0; nth < 60_000; nth++) one.request({ ...SEEN, user: `user-${nth}` })
  await one.flush()
  one.state.down = false
  await one.flush()
  await one.flush()
  expect(countsOf(one.put).reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(50_001)
})

describe.each(redisServerBinary() ? (["embedded", "bridge"] as const) : (["embedded"] as const))(
  "in a Redis that is %s",
  (kind) => {
    let redis: RunningRedis
    beforeAll(async () => {
      redis = await startTestRedis(kind)
    })
    afterAll(() => redis.stop())

    test("a batch waits under its name until it is removed, however often it is put", async () => {
      const log = silentLog()
      const send = upstashSender({ url: redis.url, token: redis.token, deadlineMs: 10_000 })
      const inbox = createUsageInbox({ clock: handClock(), log, background: createBackground(log), send })
      const batch = (seq: number): UsageBatch => ({
        instance: "0190a1b2-7c3d-7e4f-8a9b-0c1d2e3f4a5b",
        seq,
        atMs: 1,
        tenants: {},
      })
      for (const seq of [1, 2, 2, 3]) expect(await inbox.put(batch(seq))).toBe(true)
      const bySeq = (one: UsageBatch, other: UsageBatch) => one.seq - other.seq
      expect((await inbox.look(9)).toSorted(bySeq)).toEqual([1, 2, 3].map(batch))
      expect(await inbox.look(2)).toHaveLength(2)
      await inbox.remove([batch(1), batch(3)])
      expect(await inbox.look(9)).toEqual([batch(2)])
    })
  },
)
