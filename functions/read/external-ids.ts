import type { TenantId } from "../../core/ids.ts"
import type { Clock } from "../platform/clock.ts"
import type { Log } from "../platform/log.ts"
import { createLru } from "../platform/lru.ts"
import type { Reading } from "../platform/reading.ts"
import { unavailable } from "./unavailable.ts"

/** A name that was moved to another tenant, or is new, is followed within this long: the bound of a reading at rest. */
export const REMEMBERED_MS = 10_000
const REMEMBERED_MAX = 10_000
const NAME_MAX = 300

/** Slugs have no colon, external ids (`system:id`) have one. */
export const isExternalId = (text: string): boolean => text.includes(":")

export interface ExternalIds {
  /** At once for one that was asked for lately. Throws DATABASE_UNAVAILABLE. */
  tenantOf(externalId: string): TenantId | null | Promise<TenantId | null>
}

/** Which tenant an external id names, remembered for a while, and for longer while the database cannot be asked. */
export const createExternalIds = (deps: {
  clock: Clock
  log: Log
  reading: Pick<Reading, "findExternalId">
  lastKnownMs: number
}): ExternalIds => {
  const { clock, log, reading } = deps
  const remembered = createLru<string, { tenantId: TenantId | null; atMs: number }>(REMEMBERED_MAX)

  const find = async (externalId: string): Promise<TenantId | null> => {
    const atMs = clock.nowMs()
    try {
      const tenantId = await reading.findExternalId(externalId)
      remembered.set(externalId, { tenantId, atMs })
      return tenantId
    } catch (error) {
      const known = remembered.get(externalId)
      if (!known || atMs - known.atMs > deps.lastKnownMs) throw unavailable(error, log)
      log.warn("an external id could not be looked up again and holds for now", { error })
      return known.tenantId
    }
  }

  return {
    tenantOf(externalId) {
      if (externalId.length > NAME_MAX) return null
      const known = remembered.get(externalId)
      return known && clock.nowMs() - known.atMs < REMEMBERED_MS ? known.tenantId : find(externalId)
    },
  }
}
