import { isUsageBatch, type UsageBatch } from "../../core/usage/batch.ts"
import type { Background } from "./background.ts"
import { createBreaker } from "./breaker.ts"
import type { Clock } from "./clock.ts"
import type { Log } from "./log.ts"
import type { RedisSender } from "./redis-sender.ts"

const KEY = "hotswap:usage"
/** Of so many batches that nobody counts, more are not taken: each process keeps its own then. */
const BATCHES_MAX = 5_000
/** Nobody comes for them any more. */
const KEPT_SECONDS = "86400"

/** KEYS[1] the batches by name; ARGV: a name, the batch, how many there may be, time to live in seconds. */
const PUT = `
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
`
/** KEYS[1] the same; ARGV: how many at the most. */
const TAKE = `
local names, found = redis.call('HKEYS', KEYS[1]), {}
for nth = 1, math.min(#names, tonumber(ARGV[1])) do
  found[2 * nth - 1] = names[nth]
  found[2 * nth] = redis.call('HGET', KEYS[1], names[nth])
end
return found
`
/** KEYS[1] the same; ARGV: names. */
const REMOVE = `
for nth = 1, #ARGV do redis.call('HDEL', KEYS[1], ARGV[nth]) end
return #ARGV
`

/** Where what processes counted waits in Redis until it is added up: under one name a batch is there once, however often it is put. */
export interface UsageInbox {
  /** `false`: there are too many already. Throws CacheUnavailable. */
  put(batch: UsageBatch): Promise<boolean>
  /** Some of what is there; it stays until it is removed. */
  look(limit: number): Promise<UsageBatch[]>
  remove(batches: readonly UsageBatch[]): Promise<void>
}

const nameOf = ({ instance, seq }: UsageBatch): string => `${instance}:${seq}`

export const createUsageInbox = (deps: {
  clock: Clock
  log: Log
  background: Background
  send: RedisSender
}): UsageInbox => {
  const { send } = deps
  const breaker = createBreaker({ ...deps, probe: () => send([["PING"]]) })
  const evaluate = (script: string, ...args: string[]) =>
    breaker.run(async () => (await send([["EVAL", script, "1", KEY, ...args]]))[0])
  const remove = async (names: readonly string[]): Promise<void> => {
    if (names.length > 0) await evaluate(REMOVE, ...names)
  }
  return {
    put: async (batch) =>
      (await evaluate(PUT, nameOf(batch), JSON.stringify(batch), String(BATCHES_MAX), KEPT_SECONDS)) === 1,
    look: async (limit) => {
      const found = await evaluate(TAKE, String(limit))
      const words = (Array.isArray(found) ? found : []).map(String)
      const waiting = Array.from({ length: words.length / 2 }, (_, nth) => ({
        name: words[2 * nth]!,
        batch: JSON.parse(words[2 * nth + 1]!) as unknown,
      }))
      // Of another version of this code, maybe: nobody can count it, and it must not be in the way.
      await remove(waiting.filter(({ batch }) => !isUsageBatch(batch)).map(({ name }) => name))
      return waiting.map(({ batch }) => batch).filter(isUsageBatch)
    },
    remove: (batches) => remove(batches.map(nameOf)),
  }
}
