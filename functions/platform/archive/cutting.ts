import { createHash } from "node:crypto"
import { ARCHIVE_LIMITS } from "../../../core/backup/manifest-format.ts"
import { Refusal } from "../../../core/errors.ts"
import { LINE_END } from "./lines.ts"

/** A piece of a table's NDJSON. */
export interface Piece {
  bytes: Uint8Array
  /** Rows that end in it. */
  rows: number
}

/** What a piece comes to on average. */
const PIECE_BYTES_MEAN = 512 * 1024
const PIECE_BYTES_MAX = ARCHIVE_LIMITS.partBytes

/**
 * Cuts rows into pieces of at most 2 MiB. Whether a piece ends behind a row is for the row alone to say, by a keyed hash of it and
 * in proportion to its length: so the same rows are cut in the same way whatever stands before them, and a row that is
 * added, altered or removed alters no piece but its own and what that runs into. There is no least length, as it would make
 * each cut depend on the one before. A row longer than a piece is cut inside.
 */
export async function* pieces(
  rows: AsyncIterable<string>,
  key: Uint8Array,
  table: string,
): AsyncGenerator<Piece> {
  let room: Buffer = Buffer.alloc(ROOM_BYTES)
  let filled = 0
  let count = 0
  const taken = (): Piece => {
    const piece = { bytes: new Uint8Array(room.subarray(0, filled)), rows: count }
    filled = 0
    count = 0
    return piece
  }
  for await (const row of rows) {
    const length = Buffer.byteLength(row) + 1
    checkRow(row, length, table)
    if (filled > 0 && filled + length > PIECE_BYTES_MAX) yield taken()
    if (length > PIECE_BYTES_MAX) {
      yield* piecesOfRow(row)
      continue
    }
    if (filled + length > room.length) room = larger(room, filled + length)
    room.write(row, filled)
    room[filled + length - 1] = LINE_END
    const line = room.subarray(filled, filled + length)
    filled += length
    count++
    if (endsPiece(line, key)) yield taken()
  }
  if (filled > 0) yield taken()
}

/** Most tables of most tenants are small. */
const ROOM_BYTES = 64 * 1024

const larger = (room: Buffer, least: number): Buffer => {
  const grown = Buffer.alloc(Math.min(Math.max(least, room.length * 4), PIECE_BYTES_MAX))
  room.copy(grown)
  return grown
}

const endsPiece = (line: Uint8Array, key: Uint8Array): boolean => {
  const chance = createHash("sha256").update(key).update(line).digest().readUInt32BE() / 2 ** 32
  return chance * PIECE_BYTES_MEAN < line.length
}

function* piecesOfRow(row: string): Generator<Piece> {
  const line = Buffer.from(`${row}\n`)
  for (let at = 0; at < line.length; at += PIECE_BYTES_MAX) {
    const end = Math.min(at + PIECE_BYTES_MAX, line.length)
    yield { bytes: new Uint8Array(line.subarray(at, end)), rows: end === line.length ? 1 : 0 }
  }
}

const checkRow = (row: string, length: number, table: string): void => {
  if (length > ARCHIVE_LIMITS.rowBytes)
    throw new Refusal(
      "ARCHIVE_TOO_LARGE",
      `A row of ${table} has ${length} bytes, of which an archive holds ${ARCHIVE_LIMITS.rowBytes}.`,
    )
  if (row.length < 2 || row.includes("\n")) throw new Error(`a row of ${table} is not one line of JSON`)
}
