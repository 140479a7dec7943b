import { drillIdOf } from "../../core/backup/drill-id.ts"
import { PROBLEMS, Refusal } from "../../core/errors.ts"
import { backupIdOf, PLATFORM, parseTenantId, type TenantId } from "../../core/ids.ts"
import { SCHEDULE_OWNER } from "../../core/job/job.ts"
import type { JsonObject } from "../../core/json.ts"
import { lastComplete } from "../../db/queries/backups.ts"
import { endScratch, leftScratches, noteDrill, noteDrilled, planScratch } from "../../db/queries/drills.ts"
import { erasableTables, erasureOf } from "../../db/queries/erasing.ts"
import { findTenant } from "../../db/queries/tenants.ts"
import { countOpenJobs, drawTenants } from "../../db/system-backups.ts"
import type { BackupPlatform } from "../platform/compose-backup.ts"
import { type ErasingDeps, eraseOne } from "../platform/erasing.ts"
import { createJob } from "../platform/jobs.ts"
import { shredKeys } from "../platform/shred.ts"
import { type Compared, compareRestored } from "./drill-compare.ts"
import { restoreAsNew } from "./restore-new.ts"
import type { Work, WorkContext } from "./work.ts"

const SAMPLE_DEFAULT = 3
const LATEST = "ffffffff-ffff-ffff-ffff-ffffffffffff"
/** Each destroys up to 200,000 rows. */
const ERASE_ROUNDS_MAX = 1_000

/** How one tenant's latest archive did. */
type Result = { tenantId: string; backupId: string } & (
  | ({ ok: true } & Compared)
  | { ok: false; code: string; detail: string }
)

/** What the next attempt goes on from. */
interface Progress {
  drawn: string[]
  results: Result[]
  /** Under way: destroyed before anything else. */
  scratch: string | null
  /** The audit has it. */
  isTold: boolean
}

const erasing = ({
  system,
  db,
  cache,
  blobs,
  clock,
  log,
  signer,
  vault,
  keyRing,
}: BackupPlatform): ErasingDeps => ({
  system,
  db,
  cache,
  backups: blobs,
  clock,
  log,
  signer,
  shred: async (tenantId) => ({ ...(await shredKeys({ db, vault, keyRing }, tenantId)) }),
})

/** Destroys a scratch tenant as an erasure does, to its end. What was destroyed before is well. */
const destroy = async (platform: BackupPlatform, scratch: TenantId): Promise<void> => {
  const { system, db } = platform
  await endScratch(db, scratch)
  const tables = await erasableTables(system)
  for (let round = 0; round < ERASE_ROUNDS_MAX; round++) {
    const erasure = await erasureOf(system, scratch)
    if (!erasure || erasure.erasedAt !== null) return
    // Its audit was never anybody's, so nobody waits until it is signed.
    await eraseOne(erasing(platform), scratch, tables, false)
  }
  throw new Error(`${scratch} could not be destroyed`)
}

const NOTHING = { environments: 0, configs: 0, versions: 0, withLive: false, differences: [] }

const tryOut = async (
  platform: BackupPlatform,
  context: WorkContext,
  tenantId: TenantId,
  begun: (scratch: TenantId) => Promise<void>,
): Promise<Result> => {
  const { db, bulk, archives, ids, settings } = platform
  const last = await lastComplete(db, tenantId, LATEST)
  if (!last)
    return { tenantId, backupId: "", ok: false, code: "BACKUP_NOT_FOUND", detail: "It has no archive." }
  const { backupId } = last
  const named = { tenantId, backupId: backupIdOf(tenantId, backupId) }
  const scratch = drillIdOf(ids.uuid())
  await begun(scratch)
  await planScratch(db, scratch, context.job.jobId)
  try {
    const hash = last.manifestHash
    const made = { source: tenantId, backupId, hash, target: scratch, how: "restore", isDrill: true } as const
    await restoreAsNew(platform, { ...made, jobId: context.job.jobId, by: context.job.createdBy }, context)
    const archive = await archives.open(tenantId, backupId, hash)
    const compared = await compareRestored({ db, bulk }, archive, scratch, settings.environments)
    if (compared.differences.length > 0)
      return { ...named, ok: false, code: "DRILL_FAILED", detail: compared.differences.join("; ") }
    await noteDrilled(db, tenantId, backupId)
    return { ...named, ok: true, ...compared }
  } catch (error) {
    // What may pass is for another attempt; what is wrong with this archive is what the drill is for.
    if (!(error instanceof Refusal) || PROBLEMS[error.code].status >= 500 || context.signal.aborted)
      throw error
    return { ...named, ok: false, code: error.code, detail: error.message }
  }
}

const told = (results: readonly Result[]): JsonObject => ({
  tenants: results.length,
  failed: results.filter(({ ok }) => !ok).length,
  results: results as unknown as JsonObject[],
})

/**
 * `backup.drill`, of the platform: `params { tenants? }`. Restores the latest archives of tenants drawn by lot as tenants that nobody sees,
 * compares, and destroys them. Fails loudly if one of them is not what it should be: until then nobody knew.
 */
export const drillWork =
  (platform: BackupPlatform): Work =>
  async (context) => {
    const { db, system, log } = platform
    const { job } = context
    const kept = job.checkpoint as unknown as Partial<Progress>
    for (const scratch of await leftScratches(system)) await destroy(platform, scratch)
    if (kept.scratch) await destroy(platform, parseTenantId(kept.scratch)!)
    const drawn = kept.drawn ?? (await drawTenants(system, Number(job.params.tenants ?? SAMPLE_DEFAULT)))
    const results = [...(kept.results ?? [])]
    const state = (scratch: string | null, isTold = false): JsonObject => {
      const progress: Progress = { drawn: [...drawn], results, scratch, isTold }
      return progress as unknown as JsonObject
    }
    const save = (scratch: string | null) => context.checkpoint(state(scratch, kept.isTold))
    await save(null)
    for (const name of drawn.slice(results.length)) {
      await context.progress({ step: name, share: results.length / drawn.length })
      let made: TenantId | null = null
      const result = await tryOut(platform, context, parseTenantId(name)!, async (scratch) => {
        made = scratch
        await save(scratch)
      })
      if (made !== null) await destroy(platform, made)
      // One that was deleted meanwhile took its archives along.
      const isGone = !result.ok && (await findTenant(db, parseTenantId(name)!)) === null
      results.push(isGone ? { tenantId: name, backupId: result.backupId, ok: true, ...NOTHING } : result)
      await save(null)
    }
    const outcome = told(results)
    const bad = results.flatMap((result) => (result.ok ? [] : [result]))
    const audit = {
      action: "backup.drill",
      actor: { subject: job.createdBy.subject, tokenId: job.createdBy.tokenId },
      target: PLATFORM,
      detail: outcome,
    }
    // With the checkpoint in one transaction: told once, however often it is attempted from here.
    if (!kept.isTold) await noteDrill(db, audit, (tx) => context.checkpoint(state(null, true), tx))
    if (bad.length === 0) {
      log.info("archives were restored for trial, and are what they should be", { tenants: results.length })
      return { kind: "done", result: outcome }
    }
    log.error("archives were restored for trial, and are not what they should be", { failed: bad })
    const [first] = bad
    throw new Refusal(
      "DRILL_FAILED",
      `${bad.length} of ${results.length} archives are not what they should be; ${first!.backupId || first!.tenantId}: ${first!.detail}`,
    )
  }

/** Has a drill made, unless one is under way. */
export const startDrill = async (platform: BackupPlatform): Promise<JsonObject> => {
  if ((await countOpenJobs(platform.system, "backup.drill")) > 0) return { made: 0 }
  const params = { tenants: SAMPLE_DEFAULT }
  await createJob(platform, { owner: SCHEDULE_OWNER }, { scope: PLATFORM, kind: "backup.drill", params })
  return { made: 1 }
}
