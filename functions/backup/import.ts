import { homeOf } from "../../core/backup/backup.ts"
import { Refusal } from "../../core/errors.ts"
import { backupIdOf } from "../../core/ids.ts"
import { completeBackup, findBackup } from "../../db/queries/backups.ts"
import { withTenant } from "../../db/tenant.ts"
import type { BackupPlatform } from "../platform/compose-backup.ts"
import { stagedName } from "../platform/staged-imports.ts"
import { doneOf } from "./create.ts"
import { locationsOf } from "./locations.ts"
import type { Work } from "./work.ts"

type ImportPlatform = Pick<BackupPlatform, "db" | "blobs" | "archives" | "clock">

/**
 * `backup.import`: `params { backupId }`. The last step of taking an archive in: reads and checks all of it, and only then
 * is it an archive. Throws Refusal IMPORT_NOT_FOUND, and those of archives.
 */
export const importWork =
  (platform: ImportPlatform): Work =>
  async ({ job, progress, hold, signal }) => {
    const { db, blobs, archives } = platform
    const { scope } = job
    const backupId = String(job.params.backupId)
    const id = backupIdOf(scope, backupId)
    const row = await findBackup(db, scope, backupId)
    if (!row || row.state === "removed") throw new Refusal("IMPORT_NOT_FOUND", `There is no import "${id}".`)
    const result = { backupId: id, source: row.source }
    const home = homeOf(row)
    const staged = stagedName(home, backupId)
    if (row.state === "complete") {
      await blobs.remove(staged)
      return { kind: "done", result }
    }
    const sealed = await blobs.get(staged)
    if (!sealed) throw new Refusal("IMPORT_NOT_FOUND", `The manifest of "${id}" is not there any more.`)
    const checked: Parameters<typeof archives.accept>[2] = (done) => progress({ step: "checking", ...done })
    const { manifest, hash } = await archives.accept(home, sealed, checked, signal)
    const done = doneOf({ manifest, hash, writtenBytes: 0 }, await locationsOf(platform, home, manifest))
    await withTenant(db, scope, async (tx) => {
      await hold(tx)
      await completeBackup(tx, backupId, done, {
        action: "backup.imported",
        actor: { subject: job.createdBy.subject, tokenId: job.createdBy.tokenId },
        target: id,
        detail: { source: row.source, at: done.at, manifestHash: hash },
      })
    })
    await blobs.remove(staged)
    return { kind: "done", result: { ...result, at: done.at, parts: done.parts, bytes: done.packedBytes } }
  }
