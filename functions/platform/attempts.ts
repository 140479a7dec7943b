import { createHash } from "node:crypto"
import type { Background } from "./background.ts"
import { createBreaker } from "./breaker.ts"
import type { Clock } from "./clock.ts"
import type { Log } from "./log.ts"
import { createLru } from "./lru.ts"
import type { RedisSender } from "./redis-sender.ts"

/** Failures are counted over the last so many milliseconds. */
export const WINDOW_MS = 60_000
/** What is remembered in a process, however many addresses there are. */
const REMEMBERED_MAX = 20_000

/** How many failures a minute are let pass, by what is counted. */
export const ATTEMPTS_MAX = { address: 100, token: 20 } as const
export type AttemptKind = keyof typeof ATTEMPTS_MAX
/** Who fails this often does not mistake a token for another: what they send is not looked at any more. */
export const FLOOD = 10 * ATTEMPTS_MAX.address

/** Counts failures to say who one is. */
export interface Attempts {
  /** One more for each; have there been more than {@link ATTEMPTS_MAX} of one of them? */
  failed(who: Partial<Readonly<Record<AttemptKind, string>>>): boolean
  /** Has this address failed {@link FLOOD} times within the window? Asking counts nothing. */
  isFlood(address: string): boolean
}

/**
 * A sliding window in two fields: this minute's failures, and of the last one's the part that is still in the window.
 * KEYS[1] the counter; ARGV: this window's number, the part of the last one that counts, time to live in seconds.
 */
const COUNT_FAILURE = `
local kept = redis.call('HGET', KEYS[1], 'window')
local now = tonumber(redis.call('HGET', KEYS[1], 'now') or 0)
local last = tonumber(redis.call('HGET', KEYS[1], 'last') or 0)
if kept ~= ARGV[1] then
  if kept and tonumber(kept) == tonumber(ARGV[1]) - 1 then last = now else last = 0 end
  now = 0
end
now = now + 1
redis.call('HSET', KEYS[1], 'window', ARGV[1])
redis.call('HSET', KEYS[1], 'now', tostring(now))
redis.call('HSET', KEYS[1], 'last', tostring(last))
redis.call('EXPIRE', KEYS[1], ARGV[3])
return now + math.floor(last * tonumber(ARGV[2]))
`

interface Counter {
  window: number
  now: number
  last: number
  /** What Redis has said of all processes together, and in which window. */
  everywhere: number
}

const keyOf = (kind: AttemptKind, name: string): string =>
  // Neither addresses nor ids of tokens are to be read there.
  `hotswap:failed:${createHash("sha256").update(`${kind}:${name}`).digest("base64url")}`

/**
 * In memory, and in Redis for all processes together: nobody waits for Redis, and without it each process still counts
 * for itself.
 */
export const createAttempts = (deps: {
  clock: Clock
  log: Log
  background: Background
  send: RedisSender | null
}): Attempts => {
  const { clock, send } = deps
  const counters = createLru<string, Counter>(REMEMBERED_MAX)
  const breaker = send && createBreaker({ ...deps, probe: () => send([["PING"]]) })

  const counterOf = (key: string, window: number): Counter => {
    const kept = counters.get(key)
    if (kept?.window === window) return kept
    const last = kept?.window === window - 1 ? kept.now : 0
    const fresh = { window, now: 0, last, everywhere: 0 }
    counters.set(key, fresh)
    return fresh
  }

  const countEverywhere = async (key: string, counter: Counter, share: number): Promise<void> => {
    if (!send || !breaker) return
    const ttl = String((2 * WINDOW_MS) / 1_000)
    const command = ["EVAL", COUNT_FAILURE, "1", key, String(counter.window), share.toFixed(3), ttl] as const
    // The breaker has logged it; what this process knows is enough.
    const replies = await breaker.run(() => send([command])).catch(() => [])
    const [count] = replies
    if (typeof count === "number") counter.everywhere = count
  }

  /** Failures within the window, as far as this process knows. */
  const known = (counter: Counter, share: number): number =>
    Math.max(counter.now + Math.floor(counter.last * share), counter.everywhere)
  const at = (): { window: number; share: number } => {
    const nowMs = clock.nowMs()
    return { window: Math.floor(nowMs / WINDOW_MS), share: 1 - (nowMs % WINDOW_MS) / WINDOW_MS }
  }

  const count = (kind: AttemptKind, name: string): boolean => {
    const key = keyOf(kind, name)
    const { window, share } = at()
    const counter = counterOf(key, window)
    counter.now += 1
    // Who is over it here is so everywhere else soon enough: a flood is not passed on.
    if (counter.now + Math.floor(counter.last * share) <= 2 * ATTEMPTS_MAX[kind])
      deps.background.waitUntil(countEverywhere(key, counter, share))
    return known(counter, share) > ATTEMPTS_MAX[kind]
  }

  return {
    failed: (who) => {
      const kinds = Object.keys(ATTEMPTS_MAX) as AttemptKind[]
      return kinds.filter((kind) => who[kind] !== undefined && count(kind, who[kind])).length > 0
    },
    isFlood: (address) => {
      const key = keyOf("address", address)
      const { window, share } = at()
      return counters.get(key) !== undefined && known(counterOf(key, window), share) >= FLOOD
    },
  }
}
