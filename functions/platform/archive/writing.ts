import { createHash, type Hash } from "node:crypto"
import {
  ARCHIVE_FORMAT,
  type ArchivedTable,
  type ArchivePart,
  type Manifest,
} from "../../../core/backup/manifest.ts"
import { ARCHIVE_LIMITS } from "../../../core/backup/manifest-format.ts"
import { Refusal } from "../../../core/errors.ts"
import { ahead } from "./ahead.ts"
import type { ArchiveToWrite, TableSource } from "./archives.ts"
import { type Piece, pieces } from "./cutting.ts"
import { keepPart, type PartKeeper } from "./keeping.ts"
import { release } from "./release.ts"
import { partIdOf, type SubKeys } from "./sub-keys.ts"

/** So many parts are packed and sent at a time: each is held in memory until then. */
const AT_A_TIME = 3

export interface TablesWritten {
  tables: ArchivedTable[]
  /** What was not stored before. */
  writtenBytes: number
  /** Something was taken over that nobody looked at in the store. */
  hasReused: boolean
}

/** A table as it is being written, or as it was taken over. */
interface Begun {
  table: ArchivedTable & { parts: ArchivePart[] }
  hash: Hash | null
}

/** Stores those parts of an archive's tables that are not there, and says what its manifest says of them all. */
export const writeTables = async (keeper: PartKeeper, archive: ArchiveToWrite): Promise<TablesWritten> => {
  const { previous, onPart, signal } = archive
  const known = new Map<string, ArchivePart>()
  for (const table of previous?.tables ?? []) for (const part of table.parts) known.set(part.id, part)
  const begun: Begun[] = []
  const done = { parts: 0, rows: 0, bytes: 0 }
  let writtenBytes = 0
  let hasReused = false

  const keep = async ({ to, piece }: ToKeep): Promise<Kept> => {
    const id = partIdOf(keeper.keys, piece.bytes)
    const part = known.get(id)
    if (part !== undefined) return { to, part, rows: piece.rows, written: null }
    const kept = await keepPart(keeper, id, piece.bytes)
    release(piece.bytes)
    return { to, part: kept.part, rows: piece.rows, written: kept.isNew ? kept.part.packedBytes : 0 }
  }

  const note = async (parts: number, rows: number, bytes: number): Promise<void> => {
    done.parts += parts
    done.rows += rows
    done.bytes += bytes
    if (done.parts > ARCHIVE_LIMITS.parts) throw tooManyParts()
    await onPart?.({ ...done })
    signal?.throwIfAborted()
  }

  const taken = async (table: ArchivedTable): Promise<void> => {
    if (!table.parts.every(({ id }) => known.has(id)))
      throw new Error(`the table ${table.name} is not from the archive that is built on`)
    hasReused = true
    begun.push({ table: { ...table, parts: [...table.parts] }, hash: null })
    await note(table.parts.length, table.rows, plainBytes(table))
  }

  async function* toKeep(): AsyncGenerator<ToKeep> {
    for await (const source of archive.tables) {
      signal?.throwIfAborted()
      if ("parts" in source) await taken(source)
      else {
        const to = begin(source)
        begun.push(to)
        yield* piecesOf(to, source, keeper.keys)
      }
    }
  }

  for await (const { to, part, rows, written } of ahead(toKeep(), AT_A_TIME, keep)) {
    to.table.parts.push(part)
    if (written === null) hasReused = true
    writtenBytes += written ?? 0
    await note(1, rows, part.plainBytes)
  }
  return { tables: begun.map(ended), writtenBytes, hasReused }
}

interface ToKeep {
  to: Begun
  piece: Piece
}

interface Kept {
  to: Begun
  part: ArchivePart
  rows: number
  /** `null`: it was taken over unseen. */
  written: number | null
}

const begin = ({ name, fingerprint }: TableSource): Begun => ({
  table: { name, rows: 0, sha256: "", parts: [], ...(fingerprint !== undefined && { fingerprint }) },
  hash: createHash("sha256"),
})

async function* piecesOf(to: Begun, { name, rows }: TableSource, { cuts }: SubKeys): AsyncGenerator<ToKeep> {
  for await (const piece of pieces(rows, cuts, name)) {
    to.hash!.update(piece.bytes)
    to.table.rows += piece.rows
    yield { to, piece }
  }
}

const ended = ({ table, hash }: Begun): ArchivedTable =>
  hash === null ? table : { ...table, sha256: hash.digest("hex") }

const plainBytes = ({ parts }: ArchivedTable): number => parts.reduce((sum, part) => sum + part.plainBytes, 0)

const tooManyParts = (): Refusal =>
  new Refusal(
    "ARCHIVE_TOO_LARGE",
    `It has more than ${ARCHIVE_LIMITS.parts} parts, which is all that is read.`,
  )

/** What an archive of these tables says of itself. */
export const manifestOf = (
  archive: ArchiveToWrite,
  partsKey: string,
  tables: readonly ArchivedTable[],
): Manifest => {
  const { backupId, source, at, schemaVersion, environments, revisions, options, fingerprint } = archive
  return {
    format: ARCHIVE_FORMAT,
    backupId,
    source,
    at,
    schemaVersion,
    environments,
    revisions,
    options,
    fingerprint,
    partsKey,
    tables: tables.filter(({ rows }) => rows > 0 || options.includeEmptyTables),
  }
}
