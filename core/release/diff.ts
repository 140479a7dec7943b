import microdiff, { type Difference } from "microdiff"
import type { ConfigKey } from "../ids.ts"
import { canonical, type Json } from "../json.ts"
import { isMarker } from "../secret/marker.ts"
import type { Entry } from "./release.ts"

/** One place where two values differ. */
export interface ValueDifference {
  /** JSON pointer (RFC 6901) into the value; empty when the whole value differs. */
  path: string
  kind: "added" | "removed" | "changed"
  before?: Json
  after?: Json
}

/** What a change does to one key, for a person to read before approving it. */
export interface EditDifference {
  key: ConfigKey
  kind: "added" | "removed" | "changed" | "unchanged"
  before?: Json
  after?: Json
  /** Inside the value; empty unless `kind` is `changed`. */
  values: ValueDifference[]
  schemaChanged: boolean
  /** What the lock becomes, where it becomes something else. */
  locked?: boolean
}

/** The parts of a change's edit that a release holds; `value` absent is a delete. */
export interface EditedEntry {
  key: ConfigKey
  value?: Json
  schema?: Json
  locked?: true
}

/**
 * How much may be told of the insides of values, together: beyond it a value differs as a whole. Without this a
 * value of 256 KiB, one long name over many small members, has places whose paths are gigabytes long.
 */
interface Room {
  /** Objects, lists and what is in them, before and after. */
  parts: number
  pathCharacters: number
}
const roomForOne = (): Room => ({ parts: 50_000, pathCharacters: 512 * 1_024 })

/** Each edit beside what is stable, in the order of the edits. */
export const diffEdits = (
  edits: readonly EditedEntry[],
  stable: ReadonlyMap<ConfigKey, Entry>,
): EditDifference[] => {
  const room = roomForOne()
  return edits.map((edit) => diffEdit(edit, stable.get(edit.key), room))
}

const diffEdit = (edit: EditedEntry, entry: Entry | undefined, room: Room): EditDifference => {
  const { key, value } = edit
  const isDelete = value === undefined
  const schemaChanged = !isDelete && textOf(edit.schema) !== textOf(entry?.schema)
  const lockMoved = !isDelete && (edit.locked ?? false) !== (entry?.locked ?? false)
  const values = isDelete || entry === undefined ? [] : differences(entry.value, value, room)
  const isChanged = values.length > 0 || schemaChanged || lockMoved
  return {
    key,
    kind: isDelete
      ? entry
        ? "removed"
        : "unchanged"
      : !entry
        ? "added"
        : isChanged
          ? "changed"
          : "unchanged",
    ...(entry ? { before: entry.value } : {}),
    ...(isDelete ? {} : { after: value }),
    values,
    schemaChanged,
    ...(lockMoved ? { locked: edit.locked ?? false } : {}),
  }
}

const textOf = (schema: Json | undefined): string | undefined =>
  schema === undefined ? undefined : canonical(schema)

/** Where two values differ, innermost; as a whole where that would be too much. Arrays are compared by position. */
export const diffValues = (before: Json, after: Json): ValueDifference[] =>
  differences(before, after, roomForOne())

const differences = (before: Json, after: Json, room: Room): ValueDifference[] => {
  // A marker is a name, not a value to look into.
  if (isMarker(before) || isMarker(after)) return whole(before, after)
  room.parts -= partsOf(before, room.parts) + partsOf(after, room.parts)
  const places = room.parts < 0 ? null : placesOf(before, after, room)
  return places ?? whole(before, after)
}

const whole = (before: Json, after: Json): ValueDifference[] =>
  canonical(before) === canonical(after) ? [] : [{ path: "", kind: "changed", before, after }]

/** How many parts an object or a list has, counted until there are more than `max`. */
const partsOf = (value: Json, max: number): number => {
  if (typeof value !== "object" || value === null) return 0
  let parts = 1
  for (const part of Object.values(value)) {
    parts += 1 + partsOf(part, max - parts)
    if (parts > max) break
  }
  return parts
}

/** `null`: there is no room to name them all. */
const placesOf = (before: Json, after: Json, room: Room): ValueDifference[] | null => {
  // A root of our own lets microdiff compare scalars, and an array with an object, too.
  const found = microdiff({ value: bare(before) }, { value: bare(after) }, { cyclesFix: false })
  for (const { path } of found)
    for (const part of path) room.pathCharacters -= typeof part === "string" ? part.length + 1 : 6
  return room.pathCharacters < 0 ? null : found.map(shown)
}

const shown = (difference: Difference): ValueDifference => {
  const path = pointerOf(difference.path.slice(1))
  switch (difference.type) {
    case "CREATE":
      return { path, kind: "added", after: difference.value as Json }
    case "REMOVE":
      return { path, kind: "removed", before: difference.oldValue as Json }
    case "CHANGE":
      return { path, kind: "changed", before: difference.oldValue as Json, after: difference.value as Json }
  }
}

/** A copy whose objects inherit nothing: microdiff asks `key in object`, and finds `toString` in every other. */
const bare = (value: Json): Json => {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map(bare)
  const copy = Object.create(null) as Record<string, Json>
  for (const key of Object.keys(value)) copy[key] = bare(value[key]!)
  return copy
}

const pointerOf = (path: readonly (string | number)[]): string =>
  path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("")
