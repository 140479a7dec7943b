import { setImmediate as nextTurn } from "node:timers/promises"
import type { Environment } from "../../core/environment.ts"
import type { TenantId, ViewId } from "../../core/ids.ts"
import type { PointerDocument } from "../../core/release/pointer-document.ts"
import {
  formatRevision,
  isBehind,
  isNewer,
  parseRevision,
  type Revision,
} from "../../core/release/revision.ts"
import type { View } from "../../core/release/view.ts"
import { unhurried } from "../../db/deadline.ts"
import type { Background } from "../platform/background.ts"
import { type CachePort, CacheUnavailable } from "../platform/cache.ts"
import type { Clock } from "../platform/clock.ts"
import type { Log } from "../platform/log.ts"
import { createLru } from "../platform/lru.ts"
import type { PointerBuilder } from "../platform/pointers.ts"
import type { Trace } from "../platform/tracing.ts"
import { type Entry, entryOf } from "./entry.ts"
import { unavailable } from "./unavailable.ts"

/** What this process may serve. */
export interface Pointers {
  /** At once if memory may answer. `null`: there is no such tenant. Throws DATABASE_UNAVAILABLE. */
  of(tenantId: TenantId, environment: Environment): Entry | Promise<Entry | null>
  /** As PostgreSQL has it now, for people, who look at what they have just done; if it is down, as {@link of}. */
  latest(tenantId: TenantId, environment: Environment): Promise<Entry | null>
  /** For who was told of this revision: asks Redis, and then PostgreSQL, until it is there; if it is nowhere, as {@link of}. */
  reaching(tenantId: TenantId, environment: Environment, wanted: Revision): Promise<Entry | null>
  /** Milliseconds since PostgreSQL was read. */
  ageMs(entry: Entry): number
}

const REVISIONS_MAX = 50_000
/** PostgreSQL having failed, nobody who can be served waits for it again for this long. */
const FAILED_MS = 5_000
/** …but it is asked again this often, in the background. */
const RETRY_MS = 1_000
/** Who cannot be served without PostgreSQL asks so often before giving up: a late answer is better than none. */
const ATTEMPTS = 3
/** A flight this old was frozen with its process, and is not worth joining. */
const FLIGHT_MS = 5_000
/** In the background PostgreSQL is asked at this share of the age at which readers would have to wait for it. */
const AHEAD = 0.8

const addressOf = (tenantId: TenantId, environment: Environment): string => `${environment}/${tenantId}`

/** In the background, for who waits, or for who was told of a move. */
type Why = "ahead" | "asked" | "told"

interface Flight {
  startedMs: number
  result: Promise<Entry | null>
}

export const createPointers = (deps: {
  clock: Clock
  log: Log
  trace: Trace
  background: Background
  cache: CachePort
  builder: PointerBuilder
  /** The oldest that is served while PostgreSQL is down. */
  ttlMs: number
  /** How much is remembered. */
  memoryCharacters: number
}): Pointers => {
  const { clock, log, cache, builder } = deps
  const memory = createLru<string, Entry>(deps.memoryCharacters, (entry) => entry.characters)
  /** The newest revision served of each, also of those whose entry had to go: there is no way back. */
  const served = createLru<string, Revision>(REVISIONS_MAX)
  const flights = new Map<string, Flight>()
  const reading = new Map<string, Promise<Entry | null>>()
  const next = new Map<string, Promise<Entry | null>>()
  let databaseFailedMs = Number.NEGATIVE_INFINITY

  const ageMs = (entry: Entry): number => Math.max(0, clock.nowMs() - entry.pointer.readAtMs)

  const goesBack = (pointer: PointerDocument): boolean => {
    const last = served.get(addressOf(pointer.tenantId, pointer.environment))
    return (
      last !== undefined &&
      pointer.revision !== formatRevision(last) &&
      !isNewer(parseRevision(pointer.revision)!, last)
    )
  }

  const viewFrom = (entry: Entry | null, viewId: ViewId): View | null =>
    [entry?.stable, entry?.candidate].find((answer) => answer?.view.id === viewId)?.view ?? null

  /** The entry of a document, if all of its views are to be had without PostgreSQL. */
  const complete = async (
    pointer: PointerDocument,
    former: Entry | null,
    built: ReadonlyMap<ViewId, View>,
  ): Promise<Entry | null> => {
    const find = async (viewId: ViewId): Promise<View | null> =>
      viewFrom(former, viewId) ??
      built.get(viewId) ??
      (await cache.readView(pointer.tenantId, pointer.environment, viewId))
    const stable = await find(pointer.stable)
    const candidate = pointer.candidate && (await find(pointer.candidate.view))
    if (!stable || (pointer.candidate && !candidate)) return null
    return entryOf(pointer, stable, candidate, former)
  }

  const fromCache = async (
    tenantId: TenantId,
    environment: Environment,
    former: Entry | null,
    isTold: boolean,
  ): Promise<Entry | null> => {
    try {
      const moved = isTold ? await cache.readMoved(tenantId, environment) : null
      const pointer = moved ? moved.pointer : await cache.readPointer(tenantId, environment)
      if (!pointer) return null
      if (goesBack(pointer)) {
        log.warn("Redis holds an older revision than was served", { tenantId, environment })
        return null
      }
      return await complete(pointer, former, moved?.views ?? new Map())
    } catch (error) {
      if (error instanceof CacheUnavailable) return null
      throw error
    }
  }

  const fromDatabase = async (
    tenantId: TenantId,
    environment: Environment,
    former: Entry | null,
  ): Promise<Entry | null> => {
    const built = await deps.trace("read.build", () =>
      builder.build(tenantId, environment, (viewId) => viewFrom(former, viewId) !== null),
    )
    if (!built) return null
    const { pointer, views } = built
    if (goesBack(pointer)) {
      // Another read began later and landed sooner: then what it brought is the answer.
      const newer = memory.get(addressOf(tenantId, environment))
      if (newer && newer !== former) return newer
      throw new Error(`PostgreSQL answered with revision ${pointer.revision}, older than served`)
    }
    const entry = await complete(pointer, former, views)
    if (!entry) throw new Error("a view was neither known nor built")
    deps.background.waitUntil(keep(pointer, [...views.values()]))
    return entry
  }

  const keep = async (pointer: PointerDocument, views: readonly View[]): Promise<void> => {
    // The reader who waits comes first: putting a request to Redis together takes as long as answering him.
    await nextTurn()
    try {
      await cache.store(pointer.tenantId, pointer.environment, { views, pointer })
    } catch (error) {
      if (!(error instanceof CacheUnavailable)) throw error
    }
  }

  /** Two flights may land out of order: what is in memory is replaced only by what is at least as new. */
  const install = (entry: Entry): Entry => {
    const { tenantId, environment } = entry.pointer
    const address = addressOf(tenantId, environment)
    const current = memory.get(address)
    if (
      current &&
      current.pointer.readAtMs > entry.pointer.readAtMs &&
      !isNewer(entry.revision, current.revision)
    )
      return current
    if (goesBack(entry.pointer)) return current ?? entry
    entry.refreshAtMs = clock.nowMs() + entry.staleness.freshMs
    served.set(address, entry.revision)
    memory.set(address, entry)
    return entry
  }

  const forget = (tenantId: TenantId, environment: Environment): null => {
    memory.delete(addressOf(tenantId, environment))
    return null
  }

  /** Where it has just failed others, waiting longer would only make the crowd before it larger. */
  const patiently = async <T>(lastKnown: Entry | null, ask: () => Promise<T>): Promise<T> => {
    const isServed = lastKnown !== null && ageMs(lastKnown) <= deps.ttlMs
    const isDown = clock.nowMs() - databaseFailedMs < FAILED_MS
    for (let left = isServed || isDown ? 1 : ATTEMPTS; ; left--) {
      try {
        return await ask()
      } catch (error) {
        if (left === 1) throw error
      }
    }
  }

  const refresh = async (tenantId: TenantId, environment: Environment, why: Why): Promise<Entry | null> => {
    const former = memory.get(addressOf(tenantId, environment)) ?? null
    const cached = await fromCache(tenantId, environment, former, why === "told")
    const limitMs = cached ? cached.staleness.rereadMs * (why === "ahead" ? AHEAD : 1) : 0
    if (cached && ageMs(cached) < limitMs) return install(cached)
    try {
      const entry = await patiently(cached ?? former, () => fromDatabase(tenantId, environment, former))
      databaseFailedMs = Number.NEGATIVE_INFINITY
      return entry ? install(entry) : forget(tenantId, environment)
    } catch (error) {
      databaseFailedMs = clock.nowMs()
      const lastKnown = cached ? install(cached) : (memory.get(addressOf(tenantId, environment)) ?? former)
      if (!lastKnown || ageMs(lastKnown) > deps.ttlMs) throw unavailable(error, log)
      log.error("PostgreSQL did not answer; the last known good is served", { error, tenantId, environment })
      lastKnown.refreshAtMs = clock.nowMs() + RETRY_MS
      return lastKnown
    }
  }

  /** Everybody who asks for the same at the same time waits for one answer. */
  const fly = (tenantId: TenantId, environment: Environment, why: Why): Promise<Entry | null> => {
    // What is read ahead may take longer than a reader who has to wait can.
    const address = `${why === "ahead" ? "ahead " : ""}${addressOf(tenantId, environment)}`
    const now = clock.nowMs()
    const running = flights.get(address)
    if (running && now - running.startedMs < FLIGHT_MS) return running.result
    const flight: Flight = {
      startedMs: now,
      result: refresh(tenantId, environment, why).finally(() => {
        if (flights.get(address) === flight) flights.delete(address)
      }),
    }
    flights.set(address, flight)
    return flight.result
  }

  const readLatest = async (tenantId: TenantId, environment: Environment): Promise<Entry | null> => {
    if (clock.nowMs() - databaseFailedMs < FAILED_MS) return await of(tenantId, environment)
    const former = memory.get(addressOf(tenantId, environment)) ?? null
    try {
      const entry = await fromDatabase(tenantId, environment, former)
      return entry ? install(entry) : forget(tenantId, environment)
    } catch (error) {
      databaseFailedMs = clock.nowMs()
      log.warn("the latest could not be read; what is known is served", { error, tenantId, environment })
      return await of(tenantId, environment)
    }
  }

  /**
   * Whoever asks while a read is under way waits for the next one: that under way may have looked before
   * the write whose effect they ask for. So there is one at a time of each, however many ask.
   */
  const latest: Pointers["latest"] = (tenantId, environment) => {
    const address = addressOf(tenantId, environment)
    const waiting = next.get(address)
    if (waiting !== undefined) return waiting
    const before = reading.get(address)
    const mine = (before?.catch(() => null) ?? Promise.resolve(null)).then(() => {
      next.delete(address)
      const result = readLatest(tenantId, environment)
      reading.set(address, result)
      return result.finally(() => {
        if (reading.get(address) === result) reading.delete(address)
      })
    })
    next.set(address, mine)
    return mine
  }

  const ahead = (entry: Entry, now: number): Entry => {
    if (now >= entry.refreshAtMs) {
      entry.refreshAtMs = now + RETRY_MS
      const { tenantId, environment } = entry.pointer
      // Or PostgreSQL, when it is slow, would be given up on with each request that begins it, and what is served stay old.
      deps.background.waitUntil(unhurried(() => fly(tenantId, environment, "ahead")))
    }
    return entry
  }

  const of: Pointers["of"] = (tenantId, environment) => {
    const entry = memory.get(addressOf(tenantId, environment))
    if (entry === undefined) return fly(tenantId, environment, "asked")
    const now = clock.nowMs()
    const age = now - entry.pointer.readAtMs
    if (age <= entry.staleness.freshMs) return entry
    if (age < entry.staleness.rereadMs) return ahead(entry, now)
    if (now - databaseFailedMs < FAILED_MS && age <= deps.ttlMs) return ahead(entry, now)
    return fly(tenantId, environment, "asked")
  }

  const reaching: Pointers["reaching"] = async (tenantId, environment, wanted) => {
    const known = await of(tenantId, environment)
    if (!known || !isBehind(known.revision, wanted)) return known
    const renewed = await fly(tenantId, environment, "told")
    if (!renewed || !isBehind(renewed.revision, wanted)) return renewed
    return await latest(tenantId, environment)
  }

  return { ageMs, of, latest, reaching }
}
