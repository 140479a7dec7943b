import type { Json } from "../json.ts"

const MEMBER = "$secret"

/** What stands for a secret's value everywhere but at its own route: which value it is, and nothing of it. */
export const markerOf = (version: number): Json => ({ [MEMBER]: true, version })

/** The number in a marker; `null` for every other value. */
export const markedVersion = (value: Json | undefined): number | null => {
  if (!looksMarked(value) || value[MEMBER] !== true || Object.keys(value).length !== 2) return null
  const { version } = value
  return typeof version === "number" && Number.isSafeInteger(version) && version >= 1 ? version : null
}

export const isMarker = (value: Json | undefined): boolean => markedVersion(value) !== null

/** Would a reader take it for a marker, or for something like one? */
export const looksMarked = (value: Json | undefined): value is Record<string, Json> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Object.hasOwn(value, MEMBER)
