import { homeOf } from "../../core/backup/backup.ts"
import type { ArchivedTable, ArchiveOptions, Manifest } from "../../core/backup/manifest.ts"
import { ARCHIVED } from "../../core/backup/tables.ts"
import { Refusal } from "../../core/errors.ts"
import type { ScopeId } from "../../core/ids.ts"
import type { JobProgress } from "../../core/job/job.ts"
import type { Database } from "../../db/client.ts"
import { type ScopeState, type Snapshot, withSnapshot } from "../../db/queries/backup-snapshot.ts"
import type { BackupRow } from "../../db/queries/backups.ts"
import type { Archives, ArchiveToWrite, TableSource, WrittenArchive } from "../platform/archive/archives.ts"

/** Rows of a table on their way into an archive. */
export type RowsMapped = (table: string, rows: AsyncIterable<string>) => AsyncIterable<string>

export interface ScopeExport {
  scope: ScopeId
  /** A UUID. */
  backupId: string
  options: ArchiveOptions
  /** The scope's last archive, all of which is in the store: what has not changed since is named again, not read. */
  previous: Manifest | null
  /** What is written instead of the rows; with it nothing is taken over. */
  mapped?: RowsMapped
  onPart?: (done: JobProgress) => Promise<void> | void
  signal?: AbortSignal
}

/**
 * Writes what a scope holds at one instant to an archive. Call `archives.prepare(scope)` before. Throws Refusal TENANT_NOT_FOUND,
 * and those of archives.
 */
export const exportScope = async (
  { bulk, archives }: { bulk: Database; archives: Pick<Archives, "write"> },
  wanted: ScopeExport,
): Promise<WrittenArchive> => {
  const previous = wanted.mapped ? null : wanted.previous
  const written = await withSnapshot(bulk, wanted.scope, (snapshot) => {
    const tables = tablesOf(snapshot, previous, wanted.mapped)
    return archives.write(archiveOf({ ...wanted, previous }, snapshot.state, tables))
  })
  if (!written) throw new Refusal("TENANT_NOT_FOUND", `There is no tenant "${wanted.scope}".`)
  return written
}

/**
 * The same for a scope that is as its last archive shows it: nothing of it is read. `null`: that archive is not what could be
 * built on, or not any more.
 */
export const repeatArchive = async (
  { archives }: { archives: Pick<Archives, "open" | "write"> },
  last: BackupRow,
  state: ScopeState,
  wanted: ScopeExport & Pick<ArchiveToWrite, "isNew" | "key">,
): Promise<WrittenArchive | null> => {
  if (last.fingerprint !== state.fingerprint || last.locations.some(({ ok }) => !ok)) return null
  try {
    const { manifest } = await archives.open(homeOf(last), last.backupId)
    if (manifest.fingerprint !== state.fingerprint) return null
    const tables = unchangedTables(manifest, wanted.options)
    const { isNew, key } = wanted
    const archive = archiveOf({ ...wanted, previous: manifest }, state, tables)
    return await archives.write({ ...archive, ...(isNew && { isNew }), ...(key && { key }) })
  } catch (error) {
    // Keys were rotated, parts are gone, the archive is damaged: whatever it is, reading the rows will do.
    if (wanted.signal?.aborted || (error instanceof Refusal && !isOfArchives(error))) throw error
    return null
  }
}

const isOfArchives = ({ code }: Refusal): boolean => code.startsWith("ARCHIVE_")

const archiveOf = (
  { scope, backupId, options, previous, onPart, signal }: ScopeExport,
  { at, schemaVersion, environments, revisions, fingerprint }: ScopeState,
  tables: AsyncIterable<TableSource | ArchivedTable>,
): ArchiveToWrite => ({
  backupId,
  source: scope,
  at,
  schemaVersion,
  environments,
  revisions,
  options,
  fingerprint,
  tables,
  previous,
  ...(onPart && { onPart }),
  ...(signal && { signal }),
})

async function* none(): AsyncGenerator<string> {}

/** What the last one does not name was empty, and still is. */
async function* unchangedTables(
  { tables }: Manifest,
  { includeEmptyTables }: ArchiveOptions,
): AsyncGenerator<TableSource | ArchivedTable> {
  for (const { name } of ARCHIVED) {
    const kept = tables.find((table) => table.name === name)
    if (kept && (kept.rows > 0 || includeEmptyTables)) yield kept
    else if (includeEmptyTables) yield { name, rows: none() }
  }
}

async function* tablesOf(
  { state, rows }: Snapshot,
  previous: Manifest | null,
  mapped: RowsMapped | undefined,
): AsyncGenerator<TableSource | ArchivedTable> {
  for (const { name } of ARCHIVED) {
    const fingerprint = state.tables[name]!
    const kept = previous?.tables.find((table) => table.name === name && table.fingerprint === fingerprint)
    if (kept && kept.rows > 0) yield kept
    else yield { name, rows: mapped ? mapped(name, rows(name)) : rows(name), fingerprint }
  }
}

/** The last archive's manifest, if all that it names is in the store. */
export const reusable = async (
  archives: Pick<Archives, "open" | "canBuildOn">,
  last: BackupRow | null,
): Promise<Manifest | null> => {
  if (!last || last.locations.some(({ ok }) => !ok)) return null
  const home = homeOf(last)
  try {
    const { manifest } = await archives.open(home, last.backupId)
    return (await archives.canBuildOn(manifest)) ? manifest : null
  } catch (error) {
    // It is of no use any more, and so the more reason to write another one.
    if (error instanceof Refusal && isOfArchives(error)) return null
    throw error
  }
}
