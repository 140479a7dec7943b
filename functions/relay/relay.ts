import type { Environment } from "../../core/environment.ts"
import type { ScopeId } from "../../core/ids.ts"
import { clearMark, purgeIdempotency, purgeOld, takeMarks } from "../../db/system.ts"
import { purgeUsage } from "../../db/system-usage.ts"
import type { RelayPlatform } from "../platform/compose-relay.ts"
import { eraseDue } from "../platform/erasing.ts"
import { traced } from "../platform/tracing.ts"
import { dropOld, makeCheckpoints } from "./checkpoints.ts"
import { readFigures } from "./figures.ts"
import { resealAged } from "./reseal.ts"
import { countUsage, measureTenants } from "./usage.ts"

/** What was done with the marks that commits left. */
export interface Swept {
  published: number
  /** Left for the next sweep: Redis did not take them, or their pointers could not be read. */
  left: number
}

export interface Relay {
  /** Publishes one scope × environment again, whatever marks there are. `false`: Redis did not take it. */
  publishNow(scope: ScopeId, environment: Environment): Promise<boolean>
  /**
   * Publishes everything that is marked. A mark that was set again meanwhile stays. Once an hour it also begins to have
   * forgotten what nobody needs any more, and does not wait for it.
   */
  sweep(): Promise<Swept>
  /**
   * Signs what audit chains have grown by, and drops what their scopes keep no longer. A sweep begins it every few
   * seconds, and does not wait for it.
   */
  signChains(): Promise<{ checkpoints: number; dropped: number }>
  /** Destroys what is left of deleted tenants whose time is over. A sweep begins it now and then, and does not wait for it. */
  eraseDeleted(): Promise<number>
  /** Seals anew what keys before the latest have sealed. A sweep begins it each minute, and does not wait for it. */
  resealAged(): Promise<number>
  /** Adds up what happened at tenants; returns how many events. A sweep begins it each second, and does not wait for it. */
  countUsage(): Promise<number>
  /** Measures some tenants' storage. A sweep begins it now and then, and does not wait for it. */
  measureTenants(): Promise<number>
}

type Mark = Awaited<ReturnType<typeof takeMarks>>[number]

const BATCH = 100
const FAILING_MAX = 1_000
const FORGET_EVERY_MS = 3_600_000
/** Each forgets some thousands of rows of a kind at the most; while there are more it goes on after a pause. */
const FORGET_ROUNDS_MAX = 5
const FORGET_PAUSE_MS = 60_000

/** A third of how far behind a chain what is signed of it may be. */
const SIGN_EVERY_MS = 20_000
const ERASE_EVERY_MS = 10_000
const RESEAL_EVERY_MS = 60_000
const TELL_EVERY_MS = 60_000
const COUNT_EVERY_MS = 1_000
const MEASURE_EVERY_MS = 10_000

/** Makes late what a committing function could not make at once. */
export const createRelay = (platform: RelayPlatform): Relay => {
  const { system, publisher, log, clock, background } = platform

  /** `"refused"`: Redis did not take it, and would not take the others either. */
  const publishMarked = async (mark: Mark): Promise<"published" | "failed" | "refused"> => {
    try {
      if (!(await publisher.publish(mark.scope, mark.environment))) return "refused"
      // Removes this mark only: one that a later commit set means that there is something newer to tell.
      await clearMark(system, mark)
      return "published"
    } catch (error) {
      log.error("a move could not be published", { error, scope: mark.scope, environment: mark.environment })
      return "failed"
    }
  }

  /** Of the last sweep. The oldest come first: the next one looks past them, so that they are in nobody's way. */
  let failing = 0

  const forgetUsage = (): Promise<number> => purgeUsage(system, platform.settings.eventDays)

  let forgetAtMs = Number.NEGATIVE_INFINITY
  const forget = async (): Promise<void> => {
    try {
      for (let round = 0; round < FORGET_ROUNDS_MAX; round++)
        if ((await purgeIdempotency(system)) + (await purgeOld(system)) + (await forgetUsage()) === 0) return
      forgetAtMs = clock.nowMs() + FORGET_PAUSE_MS
    } catch (error) {
      log.error("what is old could not be forgotten", { error })
    }
  }

  const forgetInTime = (): void => {
    if (clock.nowMs() < forgetAtMs) return
    forgetAtMs = clock.nowMs() + FORGET_EVERY_MS
    background.waitUntil(forget())
  }

  const signChains = async (): Promise<{ checkpoints: number; dropped: number }> => {
    const { signer, blobs } = platform
    if (!signer) return { checkpoints: 0, dropped: 0 }
    const deps = { system, signer, blobs, clock, log }
    return { checkpoints: await makeCheckpoints(deps), dropped: await dropOld(deps) }
  }

  const eraseDeleted = async (): Promise<number> => {
    const { db, cache, backups, signer, shred } = platform
    return db ? await eraseDue({ system, db, cache, backups, clock, log, signer, shred }) : 0
  }

  const reseal = async (): Promise<number> => {
    const { db, vault } = platform
    return db && vault ? await resealAged({ db, system, vault, log }) : 0
  }

  /** Begins it when it is its turn again and the last one is over, and waits for nothing. */
  const inTime = (everyMs: number, work: () => Promise<number | object>, complaint: string) => {
    let atMs = Number.NEGATIVE_INFINITY
    let isUnderWay = false
    return (): void => {
      if (isUnderWay || clock.nowMs() < atMs) return
      isUnderWay = true
      atMs = clock.nowMs() + everyMs
      const working = work()
        .catch((error: unknown) => log.error(complaint, { error }))
        .finally(() => {
          isUnderWay = false
        })
      background.waitUntil(working)
    }
  }
  const signInTime = inTime(SIGN_EVERY_MS, signChains, "audit chains could not be signed")
  const eraseInTime = inTime(ERASE_EVERY_MS, eraseDeleted, "what was deleted could not be erased")
  const resealInTime = inTime(RESEAL_EVERY_MS, reseal, "secrets could not be sealed anew")

  const tellFigures = async (): Promise<object> => {
    if (!platform.metrics) return {}
    const figures = await readFigures(system, clock)
    platform.metrics.tell(figures)
    return figures
  }
  const tellInTime = inTime(TELL_EVERY_MS, tellFigures, "how everything goes could not be told")

  const { db, inbox, settings } = platform
  const usage = { system, db, inbox, clock, log, metricTenants: settings.metricTenants }
  const count = () => countUsage(usage)
  const measure = () => measureTenants(usage)
  const countInTime = inTime(COUNT_EVERY_MS, count, "what happened at tenants could not be added up")
  const measureInTime = inTime(MEASURE_EVERY_MS, measure, "what is kept of tenants could not be measured")

  return {
    countUsage: count,
    measureTenants: measure,
    signChains,
    eraseDeleted,
    resealAged: reseal,
    publishNow: (scope, environment) => publisher.publish(scope, environment),
    async sweep() {
      forgetInTime()
      signInTime()
      eraseInTime()
      resealInTime()
      tellInTime()
      countInTime()
      measureInTime()
      const marks = await takeMarks(system, BATCH + failing)
      let published = 0
      let failed = 0
      for (const mark of marks) {
        const outcome = await traced(platform, "relay", () => publishMarked(mark))
        if (outcome === "refused") break
        if (outcome === "published") published++
        else failed++
      }
      failing = Math.min(failed, FAILING_MAX)
      return { published, left: marks.length - published }
    },
  }
}
