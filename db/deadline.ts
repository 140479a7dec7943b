import { AsyncLocalStorage } from "node:async_hooks"

const untilMs = new AsyncLocalStorage<number>()

/**
 * Does the work; whatever it asks of a database, all of it together, is answered or given up on within `limitMs` from
 * now. Handed down by the call itself, as a request that asks five times may not wait five times as long.
 */
export const within = <T>(limitMs: number, work: () => T): T => untilMs.run(performance.now() + limitMs, work)

/** For what outlives the request that started it. */
export const unhurried = <T>(work: () => T): T => untilMs.run(Number.POSITIVE_INFINITY, work)

/** What is left for whoever asks now; `Infinity` where nobody has set a limit. */
export const leftMs = (): number => {
  const until = untilMs.getStore()
  return until === undefined ? Number.POSITIVE_INFINITY : until - performance.now()
}

/**
 * Calls `expire` after that time, unless the function it returns was called before. An answer that arrived while this
 * process was busy is not late: timers come before what the sockets hold, so they are looked at once more.
 */
export const expireAfter = (limitMs: number, expire: () => void): (() => void) => {
  let isOff = false
  const timer = setTimeout(() => setImmediate(() => isOff || expire()), limitMs)
  return () => {
    isOff = true
    clearTimeout(timer)
  }
}
