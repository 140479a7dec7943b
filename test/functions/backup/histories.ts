import { expect } from "vitest"
import { ARCHIVED } from "../../../core/backup/tables.ts"
import { DEFAULT_ENVIRONMENTS } from "../../../core/environment.ts"
import { isTenant, type ScopeId, type TenantId } from "../../../core/ids.ts"
import { SCHEDULE_OWNER } from "../../../core/job/job.ts"
import type { Database } from "../../../db/client.ts"
import { withSnapshot } from "../../../db/queries/backup-snapshot.ts"
import { judgeArchive } from "../../../functions/backup/judge-archive.ts"
import { type RestoreNew, type RestorePlatform, restoreAsNew } from "../../../functions/backup/restore-new.ts"
import type { OpenArchive } from "../../../functions/platform/archive/archives.ts"
import { systemIds } from "../../../functions/platform/ids.ts"
import { replaySequences } from "../../db/sequences.ts"
import { type OpenTestDatabase, openTestDatabase } from "../../support/database.ts"
import { testKeys } from "../../support/keys.ts"
import { archiveOf } from "./hostile-archives.ts"
import { CONTEXT } from "./new-tenant-world.ts"

/** What an archive of the scope would hold, without the store. */
const snapshotOf = async (
  database: Database,
  source: ScopeId,
): Promise<{ archive: OpenArchive; lines: Record<string, string[]> }> => {
  const lines: Record<string, string[]> = {}
  const state = await withSnapshot(database, source, async ({ state, rows }) => {
    for (const { name } of ARCHIVED) {
      lines[name] = []
      // The people of the model have tokens that no tenant has.
      for await (const row of rows(name))
        lines[name].push(name === "changes" ? row.replaceAll(/"[^"]*:tok_[a-z-]+"/g, '"startup"') : row)
    }
    return state
  })
  return {
    archive: archiveOf({} as OpenArchive, lines, {
      source,
      at: state!.at,
      schemaVersion: state!.schemaVersion,
    }),
    lines,
  }
}

/**
 * Whatever people and the clock did to a scope, its archive is one that a tenant may be made of; and of a tenant's one is:
 * the same to the byte elsewhere, and another beside it, of which that is true as well.
 */
export const restoreHistories = async (runs: number, seed: number): Promise<{ restored: number }> => {
  const elsewhere = await openTestDatabase(3)
  const clock = { nowMs: Date.now, now: () => new Date() }
  const { keyRing } = testKeys({ db: elsewhere.app, clock })
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  const settings = { environments: DEFAULT_ENVIRONMENTS }
  const restore = (db: Database, archive: OpenArchive, target: TenantId) => {
    const archives = { open: async () => archive }
    const publisher = { publish: async () => true }
    const platform: RestorePlatform = { db, bulk: db, keyRing, archives, publisher, clock, log, settings }
    const { source } = archive.manifest
    const ids = { backupId: systemIds.uuid(), jobId: systemIds.uuid() }
    const input: RestoreNew = { source, target, name: "Copy", how: "restore", by: SCHEDULE_OWNER, ...ids }
    return restoreAsNew(platform, input, CONTEXT)
  }
  let restored = 0
  const afterwards = async ({ app }: OpenTestDatabase, scope: ScopeId) => {
    const { archive, lines } = await snapshotOf(app, scope)
    await judgeArchive({ keyRing }, archive, { tables: "all" })
    if (!isTenant(scope)) return
    await restore(elsewhere.app, archive, scope)
    expect((await snapshotOf(elsewhere.app, scope)).lines).toEqual(lines)
    const copy = `copy-of-${scope}` as TenantId
    await restore(app, archive, copy)
    const copied = await snapshotOf(app, copy)
    await judgeArchive({ keyRing }, copied.archive, { tables: "all" })
    // Whatever state its changes are in, none of them names the one it was made from.
    const naming = Object.values(copied.lines)
      .flat()
      .filter((line) => new RegExp(`"${scope}[":]`).test(line))
    expect(naming).toEqual([])
    restored++
  }
  try {
    await replaySequences(runs, seed, afterwards)
    return { restored }
  } finally {
    await elsewhere.close()
  }
}
