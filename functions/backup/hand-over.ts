import type { HandOverNote } from "../../core/backup/hand-over.ts"
import type { Manifest } from "../../core/backup/manifest.ts"
import { partsOf } from "../../core/backup/parts.ts"
import { Refusal } from "../../core/errors.ts"
import { backupIdOf, type ScopeId } from "../../core/ids.ts"
import { BACKUPS } from "../../core/secret/place.ts"
import { beginBackup, completeBackup, findBackup } from "../../db/queries/backups.ts"
import { withTenant } from "../../db/tenant.ts"
import { permit } from "../http/permit.ts"
import { createArchives } from "../platform/archive/archives.ts"
import type { BackupPlatform } from "../platform/compose-backup.ts"
import {
  handOverRoot,
  keysFor,
  oneOffKey,
  signHandOver,
  statementName,
  travellingRing,
} from "../platform/deployment-keys.ts"
import { archiveKeys } from "../platform/keys/archive-keys.ts"
import type { KeyRing } from "../platform/keys/key-ring.ts"
import { putSomewhere } from "../platform/put-somewhere.ts"
import { doneOf } from "./create.ts"
import { exportScope, type RowsMapped } from "./export.ts"
import { ownerNow } from "./job-owner.ts"
import type { Work } from "./work.ts"

interface DataKeyRow {
  tenant_id: string
  realm: string
  generation: number
  wrapped: string | null
  wrapped_by: string
}

const HEX_PREFIX = "\\x"

/**
 * The rows as they leave: data keys wrapped by what travels with them in the place of this key ring. Those that seal this
 * deployment's own archives stay.
 */
const leaving = (ring: KeyRing, travelling: Pick<KeyRing, "wrap">): RowsMapped =>
  async function* (table, rows) {
    for await (const row of rows)
      if (table !== "data_keys") yield row
      else if ((JSON.parse(row) as DataKeyRow).realm !== BACKUPS)
        yield await rewrapped(JSON.parse(row) as DataKeyRow, ring, travelling)
  }

const rewrapped = async (
  row: DataKeyRow,
  ring: KeyRing,
  travelling: Pick<KeyRing, "wrap">,
): Promise<string> => {
  if (row.wrapped === null) return JSON.stringify(row)
  const name = { scope: row.tenant_id as ScopeId, realm: row.realm, generation: row.generation }
  const bytes = Buffer.from(row.wrapped.slice(HEX_PREFIX.length), "hex")
  const key = await ring.unwrap(name, { bytes, by: row.wrapped_by })
  const wrapped = await travelling.wrap(name, key)
  return JSON.stringify({
    ...row,
    wrapped: HEX_PREFIX + Buffer.from(wrapped.bytes).toString("hex"),
    wrapped_by: wrapped.by,
  })
}

const signedNote = (
  { signer, settings, clock }: BackupPlatform,
  { backupId, source, tables }: Manifest,
  manifestHash: string,
  to: string,
): HandOverNote => {
  if (!signer) throw unsupported()
  const signedAt = clock.now().toISOString()
  const name = settings.deploymentName
  return {
    signed: signHandOver(signer, { name, backupId, source, manifestHash, to, signedAt }),
    parts: partsOf({ tables }).map(({ id, packedBytes }) => ({ id, bytes: packedBytes })),
  }
}

const unsupported = (): Refusal =>
  new Refusal("HAND_OVER_UNSUPPORTED", "There is no key here to sign what is handed over with.")

/**
 * `backup.hand_over`: `params { backupId, receivingKey, name? }`. An archive of the tenant as it is now, for one other deployment:
 * nobody else opens it, this one included.
 */
export const handOverWork =
  (platform: BackupPlatform): Work =>
  async ({ job, progress, signal, hold }) => {
    const { scope } = job
    permit(await ownerNow(platform, job), "backup.hand_over", { scope, environment: null })
    const backupId = String(job.params.backupId)
    const to = String(job.params.receivingKey)
    const { db, blobs, keyRing } = platform
    if (!platform.signer) throw unsupported()
    const scopeKey = (await archiveKeys(platform).forWriting(scope)).key
    await withTenant(db, scope, (tx) =>
      beginBackup(tx, { backupId, origin: "hand_over", createdBy: job.createdBy.subject, jobId: job.jobId }),
    )
    const key = oneOffKey(scopeKey, backupId, to)
    const archives = createArchives({ blobs, keys: keysFor(key, to), root: handOverRoot(scope, backupId) })
    const exported = await exportScope(
      { ...platform, archives },
      {
        scope,
        backupId,
        options: { includeEmptyTables: true },
        previous: null,
        mapped: leaving(keyRing, travellingRing(key)),
        onPart: (done) => progress({ step: "sealing", ...done }),
        signal,
      },
    )
    const note = signedNote(platform, exported.manifest, exported.hash, to)
    // One that an earlier attempt wrote stays: it says the same of the same archive.
    await putSomewhere(blobs, statementName(scope, backupId), Buffer.from(JSON.stringify(note)))
    const done = doneOf(exported, [])
    const isKept = await withTenant(db, scope, async (tx) => {
      await hold(tx)
      return await completeBackup(tx, backupId, done, {
        action: "backup.hand_over",
        actor: { subject: job.createdBy.subject, tokenId: job.createdBy.tokenId },
        target: backupIdOf(scope, backupId),
        detail: { to, manifestHash: exported.hash, ...(job.params.name ? { name: job.params.name } : {}) },
      })
    })
    if (!isKept && (await findBackup(db, scope, backupId))?.state !== "complete")
      throw new Refusal(
        "BACKUP_NOT_FOUND",
        `${backupIdOf(scope, backupId)} was removed while it was being written.`,
      )
    const result = {
      backupId: backupIdOf(scope, backupId),
      at: done.at,
      parts: done.parts,
      bytes: done.packedBytes,
      to,
    }
    return { kind: "done", result }
  }
