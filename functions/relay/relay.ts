import type { Environment } from "../../core/environment.ts"
import type { ScopeId } from "../../core/ids.ts"
import { clearMark, purgeIdempotency, purgeOld, takeMarks } from "../../db/system.ts"
import type { RelayPlatform } from "../platform/compose-relay.ts"

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
}

type Mark = Awaited<ReturnType<typeof takeMarks>>[number]

const BATCH = 100
const FORGET_EVERY_MS = 3_600_000
/** Each forgets some thousands of rows of a kind at the most; while there are more it goes on after a pause. */
const FORGET_ROUNDS_MAX = 5
const FORGET_PAUSE_MS = 60_000

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

  let forgetAtMs = Number.NEGATIVE_INFINITY
  const forget = async (): Promise<void> => {
    try {
      for (let round = 0; round < FORGET_ROUNDS_MAX; round++)
        if ((await purgeIdempotency(system)) + (await purgeOld(system)) === 0) return
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

  return {
    publishNow: (scope, environment) => publisher.publish(scope, environment),
    async sweep() {
      forgetInTime()
      const marks = await takeMarks(system, BATCH)
      let published = 0
      for (const mark of marks) {
        const outcome = await publishMarked(mark)
        if (outcome === "refused") break
        if (outcome === "published") published++
      }
      return { published, left: marks.length - published }
    },
  }
}
