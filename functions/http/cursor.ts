import { Refusal } from "../../core/errors.ts"

/** Where a list goes on, as a few strings and numbers that mean something to its query only. */
export type Position = readonly (string | number)[]

export const DEFAULT_LIMIT = 50
export const MAX_LIMIT = 200

/** An opaque cursor. It names its list, so that one list's cursor is not taken for another's. */
export const encodeCursor = (list: string, position: Position): string =>
  Buffer.from(JSON.stringify([list, ...position])).toString("base64url")

const isPosition = (value: unknown): value is (string | number)[] =>
  Array.isArray(value) && value.every((part) => typeof part === "string" || typeof part === "number")

const parse = (cursor: string): unknown => {
  try {
    return JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"))
  } catch {
    return null
  }
}

/** The position a cursor of this list carries. Throws CURSOR_INVALID. */
export const decodeCursor = (list: string, cursor: string, length: number): Position => {
  const parts = parse(cursor)
  if (!isPosition(parts) || parts[0] !== list || parts.length !== length + 1)
    throw new Refusal("CURSOR_INVALID", `"${cursor.slice(0, 100)}" is not a cursor of this list.`)
  return parts.slice(1)
}
