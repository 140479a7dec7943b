import type { Background } from "./background.ts"
import type { Clock } from "./clock.ts"
import type { Log } from "./log.ts"

/** What does not answer is not asked again for this long. */
export const REST_MS = 5_000

/** Thrown instead of asking; the caller does without. */
export class CacheUnavailable extends Error {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options)
    this.name = "CacheUnavailable"
  }
}

// One for all: making an error with its stack costs more than a miss should pay for a Redis that is not there.
const LEFT_ALONE = new CacheUnavailable("Redis failed lately and is left alone")

export interface Breaker {
  /** Runs `work`, or throws {@link CacheUnavailable} at once while it is known not to help. */
  run<Result>(work: () => Promise<Result>): Promise<Result>
}

/**
 * After a failure nobody waits again: calls fail at once for {@link REST_MS}, then one probe, in the
 * background, finds out whether they may try. A dead Redis so costs one deadline, once.
 */
export const createBreaker = (deps: {
  clock: Clock
  log: Log
  background: Background
  probe: () => Promise<unknown>
}): Breaker => {
  let open = false
  let probing = false
  let probeAtMs = 0

  const fail = (error: unknown): CacheUnavailable => {
    if (!open) deps.log.warn("Redis failed and is left alone", { error, restMs: REST_MS })
    open = true
    probeAtMs = deps.clock.nowMs() + REST_MS
    return new CacheUnavailable("Redis did not answer", { cause: error })
  }

  const probe = async (): Promise<void> => {
    probing = true
    try {
      await deps.probe()
      open = false
      deps.log.info("Redis answers again")
    } catch {
      probeAtMs = deps.clock.nowMs() + REST_MS
    } finally {
      probing = false
    }
  }

  return {
    async run(work) {
      if (open) {
        if (!probing && deps.clock.nowMs() >= probeAtMs) deps.background.waitUntil(probe())
        throw LEFT_ALONE
      }
      try {
        return await work()
      } catch (error) {
        throw fail(error)
      }
    },
  }
}
