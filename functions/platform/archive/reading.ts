import { createHash } from "node:crypto"
import type { ArchivedTable, ArchivePart } from "../../../core/backup/manifest.ts"
import { Refusal } from "../../../core/errors.ts"
import type { ScopeId } from "../../../core/ids.ts"
import type { BlobStore } from "../blob-store.ts"
import { ahead } from "./ahead.ts"
import type { OpenArchive } from "./archives.ts"
import { lineReader } from "./lines.ts"
import { partName } from "./names.ts"
import { openPart, unsealPart } from "./part.ts"
import { release } from "./release.ts"
import type { OpenedManifest } from "./sealed-manifest.ts"

/** So many parts are fetched before they are asked for. */
const AHEAD = 3

interface Home {
  blobs: BlobStore
  root: string
  home: ScopeId
}

const damaged = (detail: string): Refusal => new Refusal("ARCHIVE_DAMAGED", detail)

/** An archive whose manifest was opened, with its parts in a store. */
export const openArchive = ({ blobs, root, home }: Home, opened: OpenedManifest): OpenArchive => {
  const { keys, ...told } = opened
  const { manifest, header } = told

  const plainOf = async (table: ArchivedTable, part: ArchivePart, nth: number): Promise<Uint8Array> => {
    const where = `Part ${nth} of ${table.parts.length} of table "${table.name}" (${part.id})`
    let last: { copy: Uint8Array; packed: Uint8Array | null } | null = null
    const unseal = (copy: Uint8Array): Uint8Array | null => {
      if (last?.copy !== copy) last = { copy, packed: unsealPart(keys, header.source, part.id, copy) }
      return last.packed
    }
    const isWhole = (copy: Uint8Array) => unseal(copy) !== null
    const sealed = await blobs.get(partName(root, home, part.id), isWhole)
    if (sealed === null) throw damaged(`${where} is not in the store.`)
    return await openPart(keys, header.source, part, sealed, where, unseal)
  }

  /** The pieces of a table's NDJSON; one that came to its end was the one that was archived. */
  async function* plain(table: ArchivedTable): AsyncGenerator<{ part: ArchivePart; bytes: Uint8Array }> {
    const hash = createHash("sha256")
    let nth = 0
    const fetched = ahead(table.parts, AHEAD, async (part) => ({
      part,
      bytes: await plainOf(table, part, ++nth),
    }))
    for await (const piece of fetched) {
      hash.update(piece.bytes)
      yield piece
      release(piece.bytes)
    }
    if (hash.digest("hex") !== table.sha256)
      throw damaged(`Table "${table.name}" has other bytes than the manifest's SHA-256 is of.`)
  }

  const counted = (table: ArchivedTable, rows: number): void => {
    if (rows !== table.rows)
      throw damaged(`Table "${table.name}" has ${rows} rows where the manifest says ${table.rows}.`)
  }

  async function* rows(table: ArchivedTable): AsyncGenerator<string> {
    const reader = lineReader(table.name)
    let count = 0
    for await (const { bytes } of plain(table))
      for (const line of reader.lines(bytes)) {
        count++
        yield Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString("utf8")
      }
    reader.end()
    counted(table, count)
  }

  return {
    ...told,
    rows(name) {
      const table = manifest.tables.find((one) => one.name === name)
      return table ? rows(table) : none()
    },
    async check(onPart, signal) {
      const done = { parts: 0, rows: 0, bytes: 0 }
      for (const table of manifest.tables) {
        const reader = lineReader(table.name)
        let count = 0
        for await (const { part, bytes } of plain(table)) {
          for (const _ of reader.lines(bytes)) count++
          done.parts++
          done.bytes += part.plainBytes
          await onPart?.({ ...done, rows: done.rows + count })
          signal?.throwIfAborted()
        }
        reader.end()
        counted(table, count)
        done.rows += count
      }
    },
  }
}

async function* none(): AsyncGenerator<string> {}
