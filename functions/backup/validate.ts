import { homeOf, type LocationStatus } from "../../core/backup/backup.ts"
import { Refusal } from "../../core/errors.ts"
import { backupIdOf, type ScopeId } from "../../core/ids.ts"
import type { Database } from "../../db/client.ts"
import { type BackupRow, findBackup, noteValidation } from "../../db/queries/backups.ts"
import { withTenant } from "../../db/tenant.ts"
import type { Archives } from "../platform/archive/archives.ts"
import type { Locations } from "../platform/blob-locations.ts"
import type { Clock } from "../platform/clock.ts"
import { type Copies, checkCopies } from "./copies.ts"
import { locationsOf } from "./locations.ts"
import type { Work, WorkContext } from "./work.ts"

/** A part of what jobs are done with. */
export interface ValidatePlatform {
  db: Database
  archives: Archives
  blobs: Locations
  clock: Clock
}

type Context = Pick<WorkContext, "progress" | "signal">

interface Verdict {
  locations: LocationStatus[]
  /** Copies that were put right. */
  mended: number
  /** It cannot be restored from here. */
  refusal: Refusal | null
}

/**
 * Reads and verifies all of an archive at every location, and puts a copy that is missing or damaged at one of them right
 * where another has a whole one.
 */
const verdictOn = async (
  platform: ValidatePlatform,
  row: BackupRow,
  { progress, signal }: Context,
): Promise<Verdict> => {
  const home = homeOf(row)
  try {
    const { archives } = platform
    const several = platform.blobs.locations.length > 1
    const copies: Copies = several
      ? await checkCopies(platform, home, row, { progress, signal })
      : { problems: new Map(), mended: 0 }
    const archive = await archives.open(home, row.backupId, row.manifestHash)
    await archive.check((done) => progress({ step: "reading", ...done }), signal)
    const found = await locationsOf(platform, home, archive.manifest)
    return { locations: found.map((one) => withProblem(one, copies)), mended: copies.mended, refusal: null }
  } catch (error) {
    if (!(error instanceof Refusal) || !error.code.startsWith("ARCHIVE_")) throw error
    const checkedAt = platform.clock.now().toISOString()
    const locations = platform.blobs.locations.map(({ name }) => ({
      name,
      ok: false,
      checkedAt,
      problem: error.message,
    }))
    return { locations, mended: 0, refusal: error }
  }
}

const withProblem = (status: LocationStatus, { problems }: Copies): LocationStatus => {
  const problem = problems.get(status.name)
  return problem === undefined ? status : { ...status, ok: false, problem }
}

/**
 * `backup.validate`: `params { backupId }`. What it finds is kept with the archive whatever it is. Throws Refusal
 * BACKUP_NOT_FOUND, and ARCHIVE_* where no location has all of it.
 */
export const validateWork =
  (platform: ValidatePlatform): Work =>
  async ({ job, progress, signal, hold }) => {
    const { scope, createdBy } = job
    const backupId = String(job.params.backupId)
    const row = await findBackup(platform.db, scope, backupId)
    if (row?.state !== "complete") throw notThere(scope, backupId)
    const { locations, mended, refusal } = await verdictOn(platform, row, { progress, signal })
    const verifiedAt = refusal ? null : platform.clock.now().toISOString()
    const isWhole = refusal === null
    await withTenant(platform.db, scope, async (tx) => {
      await hold(tx)
      await noteValidation(
        tx,
        backupId,
        { locations, verifiedAt },
        {
          action: "backup.validate",
          actor: { subject: createdBy.subject, tokenId: createdBy.tokenId },
          target: backupIdOf(scope, backupId),
          detail: { isWhole, mended, ...(refusal && { code: refusal.code }) },
        },
      )
    })
    if (refusal) throw refusal
    const shown = locations.map(({ name, ok, problem }) => ({ name, ok, ...(problem && { problem }) }))
    return {
      kind: "done",
      result: { backupId: backupIdOf(scope, backupId), isWhole, mended, locations: shown },
    }
  }

const notThere = (scope: ScopeId, backupId: string): Refusal =>
  new Refusal("BACKUP_NOT_FOUND", `There is no archive ${backupIdOf(scope, backupId)}.`)
