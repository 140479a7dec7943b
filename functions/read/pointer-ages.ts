import type { Clock } from "../platform/clock.ts"
import type { Metrics } from "../platform/metric-log.ts"
import type { Entry } from "./entry.ts"
import type { Pointers } from "./pointers.ts"

const TOLD_EVERY_MS = 60_000

interface Seen {
  oldestMs: number
  stale: number
  lastMs: number
}

/**
 * The same pointers, with how old they are when they are served told each minute: not by each request, as a line of the
 * log costs more than an answer. What a process saw after it last told of it is told with its next request, as of when it was.
 */
export const withAgesTold = (pointers: Pointers, clock: Clock, metrics: Metrics | undefined): Pointers => {
  if (metrics === undefined) return pointers
  let seen: Seen | null = null
  let toldMs = Number.NEGATIVE_INFINITY

  const tell = ({ oldestMs, stale, lastMs }: Seen): void =>
    metrics.tell({ PointerAge: oldestMs / 1_000, StalePointers: stale }, lastMs)

  const note = <Found extends Entry | null>(entry: Found): Found => {
    if (entry === null) return entry
    const now = clock.nowMs()
    const ageMs = pointers.ageMs(entry)
    // Of an earlier minute: it would be taken for the age of now.
    if (seen !== null && now - seen.lastMs >= TOLD_EVERY_MS) {
      tell(seen)
      seen = null
    }
    seen = {
      oldestMs: Math.max(ageMs, seen?.oldestMs ?? 0),
      stale: (seen?.stale ?? 0) + (ageMs > entry.staleness.staleMs ? 1 : 0),
      lastMs: now,
    }
    if (now - toldMs < TOLD_EVERY_MS) return entry
    tell(seen)
    seen = null
    toldMs = now
    return entry
  }

  return {
    ageMs: pointers.ageMs,
    of: (tenantId, environment) => {
      const held = pointers.of(tenantId, environment)
      return held instanceof Promise ? held.then(note) : note(held)
    },
    latest: async (tenantId, environment) => note(await pointers.latest(tenantId, environment)),
    reaching: async (tenantId, environment, wanted) =>
      note(await pointers.reaching(tenantId, environment, wanted)),
  }
}
