import { homeOf } from "../../core/backup/backup.ts"
import type { Instant } from "../../core/change/change.ts"
import type { TenantId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import { permit } from "../http/permit.ts"
import { type CreatePlatform, createArchive } from "./create.ts"
import { ownerNow } from "./job-owner.ts"
import { type RestorePlatform, restoreAsNew } from "./restore-new.ts"
import type { Work } from "./work.ts"

/** What was asked for, as the route has checked it. */
interface Params {
  /** A UUID: of the archive that the clone is made from, the same for every attempt. */
  backupId: string
  target: TenantId
  name?: string
  asOf?: Instant
  dryRun?: boolean
}

const SOON_MS = 15_000

/** `tenant.clone`: an archive of what the job's tenant holds now, and a new tenant made of it. */
export const cloneWork =
  (platform: CreatePlatform & RestorePlatform): Work =>
  async (context) => {
    const { job } = context
    const { backupId, target, name, asOf, dryRun } = job.params as unknown as Params
    permit(await ownerNow(platform, job), "backup.clone", { scope: job.scope, environment: null })
    const { scope, jobId, createdBy: by } = job
    const archive = { scope, backupId, origin: "requested", by, jobId, includeEmptyTables: true } as const
    const row = await createArchive(platform, archive, context)
    if (row === "later")
      return { kind: "later", at: new Date(platform.clock.nowMs() + SOON_MS).toISOString() }
    const result: JsonObject = await restoreAsNew(
      platform,
      {
        source: scope,
        backupId,
        home: homeOf(row),
        hash: row.manifestHash,
        target,
        name,
        asOf,
        dryRun,
        how: "clone",
        jobId,
        by,
      },
      context,
    )
    return { kind: "done", result }
  }
