import type { Environment } from "../../core/environment.ts"
import type { TenantId } from "../../core/ids.ts"
import { isUnlimited, type Limit } from "../../core/limits/limit.ts"
import { type Standing, unlimitedStanding } from "../../core/limits/standing.ts"
import type { Background } from "./background.ts"
import { createBreaker } from "./breaker.ts"
import { limitOnceKey, limitWindowKey } from "./cache-keys.ts"
import type { Clock } from "./clock.ts"
import { TAKE } from "./limit-script.ts"
import type { Log } from "./log.ts"
import type { RedisCommand, RedisSender } from "./redis-sender.ts"
import { type Idempotency, replayOf } from "./replay.ts"

/** Nobody can do without it, as with a cache: so it is waited for somewhat longer. */
export const LIMITS_DEADLINE_MS = 500
/** See TAKE: limits of up to so many are exact to the microsecond. */
const KEPT_APART = "10000"
const ONCE_MS = "3600000"

/** What is counted apart. */
export interface Counted {
  tenantId: TenantId
  environment: Environment
  action: string
}

/** How a window stands, by Redis's clock. */
export interface WindowStanding extends Standing {
  nowMs: number
}

/** Windows that slide, in Redis. Throws CacheUnavailable where that cannot be asked; a limit that is none asks nobody. */
export interface Limits {
  /**
   * Takes so many if all of them fit in; whether or not, how the window stands then. Taken under a key, they are taken once
   * within an hour; throws Refusal IDEMPOTENCY_KEY_REUSED if the key came with another request.
   */
  take(what: Counted, limit: Limit, many: number, once?: Idempotency | null): Promise<WindowStanding>
  /** Would so many fit in? Takes none. */
  look(what: Counted, limit: Limit, many: number): Promise<WindowStanding>
  /** Forgets what was taken. */
  reset(what: Counted): Promise<void>
}

const MICROSECONDS = 1_000
const keyOf = ({ tenantId, environment, action }: Counted): string =>
  limitWindowKey(tenantId, environment, action)

/** Of an answer given again, by the limit that it was given by. */
const standingOf = (words: readonly string[], limit: Limit): WindowStanding => {
  const [fits, used = 0, now = 0, fitsAt = 0, resetAt = 0, max = limit.max] = words.map(Number)
  return {
    allowed: fits === 1,
    limit: max,
    remaining: Math.max(0, max - used),
    used,
    resetAt: new Date(Math.ceil(resetAt / MICROSECONDS)).toISOString(),
    // A millisecond too early would be refused again.
    retryAfterMs: fitsAt < 0 ? null : Math.ceil((fitsAt - now) / MICROSECONDS),
    nowMs: Math.floor(now / MICROSECONDS),
  }
}

export const createLimits = (deps: {
  clock: Clock
  log: Log
  background: Background
  send: RedisSender
}): Limits => {
  const { clock, send } = deps
  const breaker = createBreaker({ ...deps, probe: () => send([["PING"]]) })

  const evaluate = (command: RedisCommand): Promise<string[]> =>
    breaker.run(async () => {
      const [words] = await send([command])
      if (typeof words !== "string") throw new Error("Redis did not say how a window stands")
      return words.split(" ")
    })

  const ask = async (
    what: Counted,
    limit: Limit,
    many: number,
    taking: "1" | "0",
    once: Idempotency | null = null,
  ) => {
    if (isUnlimited(limit)) return { ...unlimitedStanding(clock.now()), nowMs: clock.nowMs() }
    const windowMicroseconds = String(limit.windowMs * MICROSECONDS)
    const args = [String(many), taking, String(limit.max), windowMicroseconds, KEPT_APART]
    if (once === null) return standingOf(await evaluate(["EVAL", TAKE, "1", keyOf(what), ...args]), limit)
    const kept = [`${limit.max} ${once.fingerprint}`, ONCE_MS]
    const onceKey = limitOnceKey(what.tenantId, once.key)
    const words = await evaluate(["EVAL", TAKE, "2", keyOf(what), onceKey, ...args, ...kept])
    const fingerprint = words[6]
    if (fingerprint !== undefined) replayOf({ fingerprint }, once)
    return standingOf(words, limit)
  }

  return {
    take: (what, limit, many, once) => ask(what, limit, many, "1", once),
    look: (what, limit, many) => ask(what, limit, many, "0"),
    async reset(what) {
      await breaker.run(() => send([["UNLINK", keyOf(what)]]))
    },
  }
}
