import type { BackupOrigin, LocationStatus } from "../../core/backup/backup.ts"
import { Refusal } from "../../core/errors.ts"
import { backupIdOf, type ScopeId } from "../../core/ids.ts"
import type { JobOwner, JobProgress } from "../../core/job/job.ts"
import type { Database } from "../../db/client.ts"
import { beginArchive, endArchive, type WritingBegun } from "../../db/queries/backup-writing.ts"
import type { BackupRow } from "../../db/queries/backups.ts"
import type { Archives, WrittenArchive } from "../platform/archive/archives.ts"
import type { Locations } from "../platform/blob-locations.ts"
import type { Clock } from "../platform/clock.ts"
import { exportScope, repeatArchive, reusable } from "./export.ts"
import { locationsOf } from "./locations.ts"
import type { Work, WorkContext } from "./work.ts"

/** A part of what jobs are done with. */
export interface CreatePlatform {
  db: Database
  /** For the snapshot. */
  bulk: Database
  archives: Archives
  blobs: Locations
  clock: Clock
}

export interface ArchiveWish {
  scope: ScopeId
  /** A UUID. */
  backupId: string
  origin: BackupOrigin
  by: JobOwner
  jobId: string
  includeEmptyTables: boolean
}

type Context = Pick<WorkContext, "progress" | "signal"> & Partial<Pick<WorkContext, "hold">>

/**
 * Makes an archive of what the scope holds now, or goes on where an attempt at the same one ended: what that stored is found
 * again. `"later"`: what archives do not need any more is being removed there just now. Throws Refusal TENANT_NOT_FOUND,
 * BACKUP_NOT_FOUND where it was removed meanwhile, and those of archives.
 */
export const createArchive = async (
  platform: CreatePlatform,
  wish: ArchiveWish,
  context: Context,
): Promise<BackupRow | "later"> => {
  const { scope, backupId, by, includeEmptyTables } = wish
  const { archives, db } = platform
  const begun = await begin(db, wish)
  if (begun === "later") return begun
  const { before, last, state, key } = begun
  if (before?.state === "complete") return before
  if (before?.state === "removed") throw gone(scope, backupId)
  if (key === null) await archives.prepare(scope)
  const wanted = {
    scope,
    backupId,
    options: { includeEmptyTables },
    previous: null,
    onPart: (done: JobProgress) => context.progress(withEstimate(done, last)),
    signal: context.signal,
  }
  const repeated =
    last && key && (await repeatArchive(platform, last, state, { ...wanted, isNew: before === null, key }))
  const exported =
    repeated ?? (await exportScope(platform, { ...wanted, previous: await reusable(archives, last) }))
  const locations = await locationsOf(platform, scope, exported.manifest)
  const done = doneOf(exported, locations)
  const audit = {
    action: "backup.create",
    actor: { subject: by.subject, tokenId: by.tokenId },
    target: backupIdOf(scope, backupId),
    detail: {
      at: done.at,
      rows: rowsOf(done.rowCounts),
      bytes: done.packedBytes,
      manifestHash: exported.hash,
    },
  }
  const kept = await endArchive(db, scope, { backupId, done, audit }, async (tx) => await context.hold?.(tx))
  if (!kept) throw gone(scope, backupId)
  return kept
}

const begin = async (
  db: Database,
  { scope, backupId, origin, by, jobId }: ArchiveWish,
): Promise<WritingBegun | "later"> => {
  const begun = await beginArchive(db, scope, { backupId, origin, createdBy: by.subject, jobId })
  if (begun === "missing") throw new Refusal("TENANT_NOT_FOUND", `There is no tenant "${scope}".`)
  return begun
}

const gone = (scope: ScopeId, backupId: string): Refusal =>
  new Refusal("BACKUP_NOT_FOUND", `${backupIdOf(scope, backupId)} was removed while it was being written.`)

const rowsOf = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)

/** How long it will take is told from how large the last one was. */
const withEstimate = (done: JobProgress, last: BackupRow | null): JobProgress => {
  const rowsTotal = last === null ? 0 : rowsOf(last.rowCounts)
  if (rowsTotal === 0 || done.rows === undefined) return { step: "writing", ...done }
  const share = Math.min(0.99, done.rows / rowsTotal)
  return { step: "writing", ...done, rowsTotal: Math.max(rowsTotal, done.rows), share }
}

/** What is told of an archive once it is whole. */
export const doneOf = ({ manifest, hash, writtenBytes }: WrittenArchive, locations: LocationStatus[]) => {
  const parts = new Map(manifest.tables.flatMap((table) => table.parts).map((part) => [part.id, part]))
  const sum = (bytes: "plainBytes" | "packedBytes") =>
    [...parts.values()].reduce((all, part) => all + part[bytes], 0)
  return {
    at: manifest.at,
    schemaVersion: manifest.schemaVersion,
    revision: JSON.stringify(manifest.revisions),
    fingerprint: manifest.fingerprint,
    manifestHash: hash,
    rowCounts: Object.fromEntries(manifest.tables.map(({ name, rows }) => [name, rows])),
    parts: parts.size,
    plainBytes: sum("plainBytes"),
    packedBytes: sum("packedBytes"),
    writtenBytes,
    locations,
  }
}

/** Where parts are being removed: as long as that may take. */
const LATER_MS = 15_000

/** `backup.create`: `params { backupId, origin, includeEmptyTables }`. */
export const createWork =
  (platform: CreatePlatform): Work =>
  async ({ job, progress, signal, hold }) => {
    const { backupId, origin, includeEmptyTables } = job.params
    const made = await createArchive(
      platform,
      {
        scope: job.scope,
        backupId: String(backupId),
        origin: origin === "scheduled" ? "scheduled" : "requested",
        by: job.createdBy,
        jobId: job.jobId,
        includeEmptyTables: includeEmptyTables === true,
      },
      { progress, signal, hold },
    )
    if (made === "later")
      return { kind: "later", at: new Date(platform.clock.nowMs() + LATER_MS).toISOString() }
    const { at, parts, packedBytes, writtenBytes, rowCounts } = made
    const result = {
      backupId: backupIdOf(job.scope, made.backupId),
      at,
      rows: rowsOf(rowCounts),
      parts,
      bytes: packedBytes,
      writtenBytes,
    }
    return { kind: "done", result }
  }
