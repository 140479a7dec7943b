import type { ScopeId, TokenId } from "../../core/ids.ts"
import type { Background } from "./background.ts"
import { createBreaker } from "./breaker.ts"
import type { Clock } from "./clock.ts"
import type { Log } from "./log.ts"
import { createLru } from "./lru.ts"
import type { RedisSender } from "./redis-sender.ts"

/** Within so many milliseconds a process tells of a token once, however often it is used. */
export const TOLD_EVERY_MS = 60_000
const REMEMBERED_MAX = 20_000
/** No token lasts longer. */
const KEPT_SECONDS = String(400 * 86_400)

/** KEYS[1] the scope's uses; ARGV: whose, when in milliseconds, time to live in seconds. Never back in time. */
const NOTE_USE = `
local kept = redis.call('HGET', KEYS[1], ARGV[1])
if not kept or tonumber(kept) < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
`

/**
 * When API tokens were used last, to the minute. Kept in Redis and nowhere else: whoever only reads must not have to
 * write to the database, and no decision hangs on it.
 */
export interface TokenUses {
  /** It is used at this moment. Returns at once. */
  note(scope: ScopeId, tokenId: TokenId): void
  /** As instants; `null` for one of which nothing is remembered. `null` alone: it cannot be known now. */
  last(scope: ScopeId, tokenIds: readonly TokenId[]): Promise<ReadonlyMap<TokenId, string | null> | null>
}

const usesKey = (scope: ScopeId): string => `hotswap:{${scope}}:uses`
/** What is left of an id when its scope is known. */
const fieldOf = (tokenId: TokenId): string => tokenId.slice(tokenId.lastIndexOf(":") + 1)
/** The last moment that a `Date` can tell. */
const LAST_MS = 8_640_000_000_000_000
/** Whatever Redis says, as an instant or as nothing. */
const instantOf = (reply: unknown): string | null => {
  const ms = typeof reply === "string" && /^\d{1,16}$/.test(reply) ? Number(reply) : Number.NaN
  return ms <= LAST_MS ? new Date(ms).toISOString() : null
}

export const createTokenUses = (deps: {
  clock: Clock
  log: Log
  background: Background
  send: RedisSender | null
}): TokenUses => {
  const { clock, send } = deps
  const told = createLru<TokenId, number>(REMEMBERED_MAX)
  const breaker = send && createBreaker({ ...deps, probe: () => send([["PING"]]) })

  const tell = async (scope: ScopeId, tokenId: TokenId, atMs: number): Promise<void> => {
    if (!send || !breaker) return
    const args = [fieldOf(tokenId), String(atMs), KEPT_SECONDS] as const
    // The breaker has logged it; the next use a minute later tells as much.
    await breaker.run(() => send([["EVAL", NOTE_USE, "1", usesKey(scope), ...args]])).catch(() => {})
  }

  return {
    note(scope, tokenId) {
      const nowMs = clock.nowMs()
      if (nowMs - (told.get(tokenId) ?? Number.NEGATIVE_INFINITY) < TOLD_EVERY_MS) return
      told.set(tokenId, nowMs)
      deps.background.waitUntil(tell(scope, tokenId, nowMs))
    },
    async last(scope, tokenIds) {
      if (!send || !breaker) return null
      if (tokenIds.length === 0) return new Map()
      const command = ["HMGET", usesKey(scope), ...tokenIds.map(fieldOf)] as const
      const replies = await breaker.run(() => send([command])).catch(() => null)
      const found = replies?.[0]
      if (!Array.isArray(found) || found.length !== tokenIds.length) return null
      return new Map(tokenIds.map((tokenId, index) => [tokenId, instantOf(found[index])]))
    },
  }
}
