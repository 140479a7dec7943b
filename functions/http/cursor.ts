import { Refusal } from "../../core/errors.ts"

/** Where a list goes on, as a few strings and numbers that mean something to its query only. */
export type Position = readonly (string | number)[]

export const DEFAULT_LIMIT = 50
export const MAX_LIMIT = 200

/** An opaque cursor. It names its list, so that one list's cursor is not taken for another's. */
export const encodeCursor = (list: string, position: Position): string =>
  Buffer.from(JSON.stringify([list, ...position])).toString("base64url")

/** Anybody can write a cursor: only what could have stood in one that was given out goes on to the database. */
const isPart = (part: unknown): part is string | number =>
  typeof part === "string"
    ? part.isWellFormed() && !part.includes("\0")
    : typeof part === "number" && Number.isSafeInteger(part) && part >= 0

const isPosition = (value: unknown): value is (string | number)[] =>
  Array.isArray(value) && value.every(isPart)

const parse = (cursor: string): unknown => {
  try {
    return JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"))
  } catch {
    return null
  }
}

const invalid = (cursor: string): Refusal =>
  new Refusal("CURSOR_INVALID", `"${cursor.slice(0, 100)}" is not a cursor of this list.`)

/** The position a cursor of this list carries. Throws CURSOR_INVALID. */
export const decodeCursor = (list: string, cursor: string, length: number): Position => {
  const parts = parse(cursor)
  if (!isPosition(parts) || parts[0] !== list || parts.length !== length + 1) throw invalid(cursor)
  return parts.slice(1)
}

/** The one number, of at most `max`, that a cursor of this list carries. Throws CURSOR_INVALID. */
export const decodeNumber = (list: string, cursor: string, max: number): number => {
  const [part] = decodeCursor(list, cursor, 1)
  if (typeof part !== "number" || part > max) throw invalid(cursor)
  return part
}
