import { z } from "@hono/zod-openapi"
import { homeOf } from "../../core/backup/backup.ts"
import type { HandOverNote, SignedHandOver } from "../../core/backup/hand-over.ts"
import { partsOf } from "../../core/backup/parts.ts"
import { Refusal } from "../../core/errors.ts"
import { backupIdOf } from "../../core/ids.ts"
import { type BackupRow, findBackup } from "../../db/queries/backups.ts"
import { noteDownload } from "../../db/queries/imports.ts"
import { json, type Route, route } from "../http/route.ts"
import { archiveName, partName } from "../platform/archive/names.ts"
import { handOverRoot, statementName } from "../platform/deployment-keys.ts"
import { BackupPath, backupNamed, backupNotFound, TAG, whereOfBackup } from "./backup-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { archivingOf } from "./import-parts.ts"
import { audited } from "./remember.ts"

/** An archive as it is stored, and the names of its parts. */
interface Stored {
  manifest: Uint8Array
  hash: string
  parts: readonly { id: string; bytes: number }[]
  handOver: SignedHandOver | null
  part(id: string): Promise<Uint8Array | null>
}

/** Throws BACKUP_NOT_FOUND, BACKUP_UNFINISHED. */
const completeBackup = async (deps: ManageDeps, text: string): Promise<BackupRow> => {
  const { scope, uuid } = backupNamed(text)
  const row = await findBackup(deps.db, scope, uuid)
  if (!row || row.state === "removed") throw backupNotFound(text)
  if (row.state === "writing") throw new Refusal("BACKUP_UNFINISHED", `${text} is still being written.`)
  return row
}

const gone = (row: BackupRow): Refusal =>
  new Refusal("ARCHIVE_NOT_FOUND", `${backupIdOf(row.tenantId, row.backupId)} is not in the store any more.`)

/** Sealed for another deployment: what its manifest says, only a note beside it tells. */
const handedOver = async (deps: ManageDeps, row: BackupRow): Promise<Stored> => {
  const { blobs } = archivingOf(deps)
  const { tenantId, backupId } = row
  const root = handOverRoot(tenantId, backupId)
  const [manifest, note] = await Promise.all([
    blobs.get(archiveName(root, tenantId, backupId)),
    blobs.get(statementName(tenantId, backupId)),
  ])
  if (!manifest || !note) throw gone(row)
  const { signed, parts } = JSON.parse(Buffer.from(note).toString()) as HandOverNote
  return {
    manifest,
    hash: signed.statement.manifestHash,
    parts,
    handOver: signed,
    part: (id) => blobs.get(partName(root, tenantId, id)),
  }
}

const stored = async (deps: ManageDeps, row: BackupRow): Promise<Stored> => {
  if (row.origin === "hand_over") return await handedOver(deps, row)
  const { archives } = archivingOf(deps)
  const home = homeOf(row)
  const { manifest, bytes, hash } = await archives.open(home, row.backupId, row.manifestHash)
  return {
    manifest: bytes,
    hash,
    parts: partsOf(manifest).map(({ id, packedBytes }) => ({ id, bytes: packedBytes })),
    handOver: null,
    part: (id) => archives.sealedPart(home, id),
  }
}

const Part = z.object({ id: z.string(), bytes: z.int().openapi({ description: "As it is stored" }) })

const ManifestShown = z
  .object({
    backupId: z.string(),
    manifest: z.string().openapi({ description: "Sealed, as it is stored, in base64" }),
    hash: z.string().openapi({ description: "SHA-256 of it, hex" }),
    parts: z.array(Part),
    handOver: z
      .record(z.string(), z.unknown())
      .nullable()
      .openapi({ description: "Of one that was made for another deployment: what this one has signed" }),
  })
  .openapi("ArchiveManifest")

const manifestRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/backups/{backupId}/manifest",
    operationId: "downloadManifest",
    isLong: true,
    tag: TAG,
    summary:
      "Begin to download an archive: its manifest, sealed, and which parts there are; each time audited",
    action: "backup.download",
    params: BackupPath,
    replies: { 200: { description: "The manifest", schema: ManifestShown } },
    where: whereOfBackup,
    run: async ({ params: { backupId }, scope, ...call }) => {
      const row = await completeBackup(deps, backupId)
      const { manifest, hash, parts, handOver } = await stored(deps, row)
      // Where nothing can be written to the audit, nothing is handed out.
      await noteDownload(deps.db, scope!, audited(call, "backup.download", backupId, { manifestHash: hash }))
      return json(200, {
        backupId,
        manifest: Buffer.from(manifest).toString("base64"),
        hash,
        parts,
        handOver,
      })
    },
  })

const partRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/backups/{backupId}/parts/{partId}",
    operationId: "downloadPart",
    isLong: true,
    tag: TAG,
    summary: "One part of an archive, sealed as it is stored",
    action: "backup.download",
    params: z.object({ backupId: z.string(), partId: z.string() }),
    replies: {
      200: {
        description: "The part",
        schema: z.object({ id: z.string(), bytes: z.string() }).openapi("ArchivePart"),
      },
    },
    where: whereOfBackup,
    run: async ({ params: { backupId, partId } }) => {
      const row = await completeBackup(deps, backupId)
      const { parts, part } = await stored(deps, row)
      if (!parts.some(({ id }) => id === partId))
        throw new Refusal("IMPORT_PART_UNKNOWN", "The archive has no such part.")
      const bytes = await part(partId)
      if (!bytes) throw gone(row)
      return json(200, { id: partId, bytes: Buffer.from(bytes).toString("base64") })
    },
  })

export const downloadRoutes = (deps: ManageDeps): Route[] => [manifestRoute(deps), partRoute(deps)]
