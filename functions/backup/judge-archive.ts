import { ArchiveJudge } from "../../core/backup/judge.ts"
import {
  type ArchiveRow,
  columnsAt,
  invalid,
  isTableName,
  readRow,
  type TableName,
} from "../../core/backup/rows.ts"
import { ARCHIVED } from "../../core/backup/tables.ts"
import type { JobProgress } from "../../core/job/job.ts"
import { DEPLOYMENTS } from "../../core/secret/place.ts"
import type { OpenArchive } from "../platform/archive/archives.ts"
import type { KeyRing } from "../platform/keys/key-ring.ts"
import { type SealedRows, sealedRows } from "./sealed-rows.ts"

/** What came of judging: the judge with what it remembers, what opens sealed values, and how many rows there are. */
export interface Judged {
  judge: ArchiveJudge
  sealed: SealedRows
  rows: Record<string, number>
  /** Environments that have sealed values. */
  realms: Set<string>
}

export interface Judging {
  /** Which tables: all, or those that a tenant under another id is made of. */
  tables: "all" | "copied"
  progress?: (progress: JobProgress) => Promise<void>
  signal?: AbortSignal
}

/** What another id needs to be made of: what is copied, and the keys of what is sealed in it. */
const isJudged = (name: string, tables: Judging["tables"]): boolean =>
  tables === "all" ||
  name === "data_keys" ||
  ARCHIVED.some((table) => table.name === name && table.inClones === "copied")

/** The tables of an archive that are judged, in the order in which they can be restored. */
const tablesOf = ({ manifest }: OpenArchive, tables: Judging["tables"]): TableName[] => {
  for (const { name } of manifest.tables)
    if (!isTableName(name)) throw invalid(name, null, "there is no such table")
  return ARCHIVED.map(({ name }) => name).filter((name) => isJudged(name, tables)) as TableName[]
}

/** A table's rows, read and held to its columns. Throws Refusal ARCHIVE_INVALID. */
export async function* archivedRows(
  archive: OpenArchive,
  table: TableName,
  signal?: AbortSignal,
): AsyncGenerator<ArchiveRow> {
  const columns = columnsAt(table, archive.manifest.schemaVersion)
  let nth = 0
  for await (const text of archive.rows(table)) {
    signal?.throwIfAborted()
    nth++
    yield readRow(table, nth, text, columns)
  }
}

/**
 * Reads all of an archive and judges whether a tenant may be made of it: the archive itself may be whole and sealed, and yet
 * hold what was never in any database. Throws Refusal ARCHIVE_INVALID, naming the row, and what opening keys throws.
 */
export const judgeArchive = async (
  { keyRing }: { keyRing: Pick<KeyRing, "wrap" | "unwrap"> },
  archive: OpenArchive,
  { tables, progress, signal }: Judging,
): Promise<Judged> => {
  const { source } = archive.manifest
  const judge = new ArchiveJudge(source)
  const sealed = sealedRows(source, keyRing, archive.unwrap)
  const rows: Record<string, number> = {}
  const realms = new Set<string>()
  const rowsTotal = archive.manifest.tables.reduce((sum, table) => sum + table.rows, 0)
  let total = 0
  for (const table of tablesOf(archive, tables)) {
    rows[table] = 0
    for await (const row of archivedRows(archive, table, signal)) {
      judge.accept(row)
      if (table === "data_keys") await sealed.learn(row)
      if (table === "secret_values" || table === "channels") sealed.check(row)
      if (table === "secret_values" && row.values.environment !== DEPLOYMENTS)
        realms.add(row.values.environment as string)
      rows[table]++
      if (++total % 1_000 === 0) await progress?.({ step: "judging", rows: total, rowsTotal })
    }
  }
  judge.finish({ audit: tables === "all" })
  return { judge, sealed, rows, realms }
}
