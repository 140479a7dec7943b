import { isUtf8 } from "node:buffer"
import { ARCHIVE_LIMITS } from "../../../core/backup/manifest-format.ts"
import { Refusal } from "../../../core/errors.ts"

export const LINE_END = 0x0a

/** Puts a table's rows together again from its pieces, whatever their length up to the limit. */
export interface LineReader {
  /**
   * The lines that end in the next piece, without their ends; they are parts of it, to be used before the next one. Throws Refusal
   * ARCHIVE_DAMAGED for what is not UTF-8, and ARCHIVE_TOO_LARGE.
   */
  lines(piece: Uint8Array): Generator<Uint8Array>
  /** After the last piece. Throws Refusal ARCHIVE_DAMAGED for a line that has no end. */
  end(): void
}

export const lineReader = (table: string): LineReader => {
  let begun: Uint8Array[] = []
  let begunBytes = 0
  let nth = 1

  const take = (bytes: Uint8Array): void => {
    begunBytes += bytes.length
    if (begunBytes > ARCHIVE_LIMITS.rowBytes)
      throw new Refusal(
        "ARCHIVE_TOO_LARGE",
        `Row ${nth} of table "${table}" has more than ${ARCHIVE_LIMITS.rowBytes} bytes.`,
      )
    begun.push(bytes)
  }

  const whole = (): Uint8Array => {
    const line = begun.length === 1 ? begun[0]! : Buffer.concat(begun)
    if (line.length < ROW_BYTES_MIN || !isUtf8(line))
      throw new Refusal("ARCHIVE_DAMAGED", `Row ${nth} of table "${table}" is not a line of UTF-8.`)
    begun = []
    begunBytes = 0
    nth++
    return line
  }

  return {
    *lines(piece) {
      let at = 0
      for (let end = piece.indexOf(LINE_END); end !== -1; end = piece.indexOf(LINE_END, at)) {
        take(piece.subarray(at, end))
        yield whole()
        at = end + 1
      }
      // A copy: the piece is nobody's any more when the next one comes.
      if (at < piece.length) take(new Uint8Array(piece.subarray(at)))
    },
    end() {
      if (begun.length > 0)
        throw new Refusal("ARCHIVE_DAMAGED", `The last row of table "${table}", ${nth}, has no end.`)
    },
  }
}

/** No row is shorter than `{}`. */
const ROW_BYTES_MIN = 2
