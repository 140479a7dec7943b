import { z } from "@hono/zod-openapi"
import { ORIGINS } from "../../core/backup/backup.ts"
import { Refusal } from "../../core/errors.ts"
import { backupIdOf, jobIdOf, parseBackupId, type ScopeId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import type { BackupRow } from "../../db/queries/backups.ts"

export const TAG = "Backups"
export const BACKUP_STATES = ["writing", "complete", "removed"] as const
export const BackupPath = z.object({ backupId: z.string() })

/** A backup as HTTP shows it. */
export const BackupShown = z
  .object({
    backupId: z.string(),
    tenantId: z
      .string()
      .openapi({ description: "Whose it is; `~platform` for one that came from elsewhere" }),
    source: z.string().openapi({ description: "Whose rows are in it" }),
    origin: z.enum(ORIGINS),
    state: z.enum(BACKUP_STATES),
    at: z.string().openapi({ description: "The instant that it shows" }),
    createdBy: z.string(),
    jobId: z.string().nullable(),
    schemaVersion: z.int(),
    revisions: z
      .record(z.string(), z.int())
      .openapi({ description: "By environment, how far the scope's own configuration had come" }),
    rows: z.record(z.string(), z.int()).openapi({ description: "By table" }),
    parts: z.int(),
    plainBytes: z.int(),
    packedBytes: z.int().openapi({ description: "Compressed and sealed" }),
    writtenBytes: z.int().openapi({ description: "Of these, what no earlier backup had stored already" }),
    locations: z
      .array(
        z.object({
          name: z.string(),
          ok: z.boolean(),
          checkedAt: z.string(),
          problem: z.string().optional(),
        }),
      )
      .openapi({
        description: "Where it is kept, and whether all of it was there when that was last looked at",
      }),
    held: z.boolean().openapi({ description: "Retention leaves it alone, and nobody may delete it" }),
    verifiedAt: z
      .string()
      .nullable()
      .openapi({ description: "When all of it was last read and found whole" }),
    drilledAt: z
      .string()
      .nullable()
      .openapi({ description: "When it was last restored for trial and found the same" }),
    removedAt: z.string().nullable(),
  })
  .openapi("Backup")

const revisionsOf = ({ revision }: BackupRow): JsonObject =>
  revision === null ? {} : (JSON.parse(revision) as JsonObject)

export const showBackup = (row: BackupRow): JsonObject => {
  const { tenantId, source, origin, state, at, createdBy, schemaVersion, parts, held } = row
  const { plainBytes, packedBytes, writtenBytes, verifiedAt, drilledAt, removedAt } = row
  return {
    backupId: backupIdOf(tenantId, row.backupId),
    tenantId,
    source,
    origin,
    state,
    at,
    createdBy,
    jobId: row.jobId === null ? null : jobIdOf(tenantId, row.jobId),
    schemaVersion,
    revisions: revisionsOf(row),
    rows: row.rowCounts,
    parts,
    plainBytes,
    packedBytes,
    writtenBytes,
    locations: row.locations.map((location) => ({ ...location })),
    held,
    verifiedAt,
    drilledAt,
    removedAt,
  }
}

const TOLD_MAX = 200

export const backupNotFound = (text: string): Refusal =>
  new Refusal("BACKUP_NOT_FOUND", `There is no backup "${text.slice(0, TOLD_MAX)}".`)

/** Throws BACKUP_NOT_FOUND for what is no id of one. */
export const backupNamed = (text: string): { scope: ScopeId; uuid: string } => {
  const named = parseBackupId(text)
  if (!named) throw backupNotFound(text)
  return named
}

/** Where a route acts that names a backup. */
export const whereOfBackup = ({ params }: { params: { backupId: string } }) => ({
  scope: backupNamed(params.backupId).scope,
  environment: null,
})
