import { superfluous } from "../../core/backup/retention.ts"
import { instantOf, scheduleInForce } from "../../core/backup/schedule.ts"
import type { Instant } from "../../core/change/change.ts"
import type { ScopeId, Tier } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import type { Database } from "../../db/client.ts"
import {
  endRemoving,
  markedRemoved,
  REMOVING_MINUTES,
  renewRemoving,
  retainScope,
} from "../../db/queries/backup-retention.ts"
import { forgetRemoved, scopesToRetain } from "../../db/system-backups.ts"
import type { Archives } from "../platform/archive/archives.ts"
import type { Clock } from "../platform/clock.ts"
import type { Log } from "../platform/log.ts"

export interface RetainDeps {
  db: Database
  system: Database
  archives: Pick<Archives, "list" | "removeManifest" | "partsNamed" | "parts" | "removePart">
  clock: Clock
  log: Log
}

/** What was taken out of the store, and what is locked and stays for now. */
export interface Swept {
  archives: number
  parts: number
  locked: number
}

/** Each scope about once a day. */
const RETAIN_EVERY_MS = 23 * 3_600_000
const PAGE = 200
/** A run goes on with further pages for so long; the schedule comes again. */
const RUNS_MS = 10 * 60_000
const RENEW_MS = (REMOVING_MINUTES * 60_000) / 4

class LeaseLost extends Error {}

/** Says again and again that parts are being taken away. To be asked before each removal: throws once somebody may be writing. */
const holding = ({ db, clock }: RetainDeps, scope: ScopeId, first: Instant) => {
  let lease = first
  // By two clocks: one may be put back, and the other stands still while the machine sleeps.
  const now = () => [clock.nowMs(), performance.now()] as const
  let said = now()
  return {
    mustHold: async (): Promise<void> => {
      const isRecent = now().every((ms, nth) => Math.abs(ms - said[nth]!) < RENEW_MS)
      if (isRecent) return
      const next = await renewRemoving(db, scope, lease)
      if (next === null) throw new LeaseLost(`parts of ${scope} are not being taken away any more`)
      lease = next
      said = now()
    },
    end: () => endRemoving(db, scope, lease),
  }
}

/**
 * Manifests first: what they alone named is then named by nobody. Of those only what is marked as removed, as without the database
 * the store is all there is. Then the parts that no manifest names any more; while a manifest is there that cannot be
 * read, none, as nobody knows which it names. Whatever of this is cut off is done by the next run.
 */
const sweep = async (
  { db, archives, log }: RetainDeps,
  scope: ScopeId,
  mustHold: () => Promise<void>,
): Promise<Swept> => {
  const swept = { archives: 0, parts: 0, locked: 0 }
  for (const backupId of await markedRemoved(db, scope, await archives.list(scope))) {
    await mustHold()
    const removal = await archives.removeManifest(scope, backupId)
    if (removal === "removed") swept.archives++
    if (removal === "kept") swept.locked++
  }
  const named = await archives.partsNamed(scope).catch((error: unknown) => {
    log.error("an archive cannot be read, so no part of the scope's is taken away", { error, scope })
    return null
  })
  if (named === null) return swept
  for await (const partId of archives.parts(scope)) {
    if (named.has(partId)) continue
    await mustHold()
    const removal = await archives.removePart(scope, partId)
    if (removal === "removed") swept.parts++
    if (removal === "kept") swept.locked++
  }
  return swept
}

/** Takes away what a scope's schedule keeps no longer. `null`: an archive is being written there, or somebody else is at it. */
export const retainOne = async (
  deps: RetainDeps,
  { scope, tier }: { scope: ScopeId; tier: Tier | null },
): Promise<(Swept & { marked: number }) | null> => {
  const retained = await retainScope(deps.db, scope, (archives, own, nowMs) =>
    superfluous(archives, scheduleInForce(tier, own), nowMs),
  )
  if (!retained || retained.lease === null) return null
  const hold = holding(deps, scope, retained.lease)
  const swept = await sweep(deps, scope, hold.mustHold)
  await hold.end()
  return { ...swept, marked: retained.removed.length + retained.abandoned.length }
}

/** Goes through the scopes whose turn it is. One that fails keeps no other from its turn; its lease runs out by itself. */
export const retainBackups = async (deps: RetainDeps): Promise<JsonObject> => {
  const { system, clock, log } = deps
  const startedMs = clock.nowMs()
  const before = instantOf(startedMs - RETAIN_EVERY_MS)
  const seen = new Set<ScopeId>()
  const done = { scopes: 0, marked: 0, archives: 0, parts: 0, locked: 0, later: 0, failed: 0 }
  while (clock.nowMs() - startedMs < RUNS_MS) {
    const page = (await scopesToRetain(system, before, PAGE + seen.size)).filter(
      ({ scope }) => !seen.has(scope),
    )
    if (page.length === 0) break
    for (const one of page) {
      seen.add(one.scope)
      try {
        const swept = await retainOne(deps, one)
        if (!swept) done.later++
        else {
          done.scopes++
          for (const [name, count] of Object.entries(swept)) done[name as keyof Swept] += count
        }
      } catch (error) {
        done.failed++
        log.error("backups beyond retention could not be removed", { error, scope: one.scope })
      }
    }
  }
  return { ...done, forgotten: await forgetRemoved(system) }
}
