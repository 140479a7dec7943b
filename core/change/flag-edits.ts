import { type FieldError, Refusal } from "../errors.ts"
import { isShort, parseFlag } from "../flag/flag-document.ts"
import type { Definition } from "../flag/flags.ts"
import { isFlag } from "../flag/is-flag.ts"
import { wrongPrerequisites } from "../flag/prerequisites.ts"
import type { ConfigKey } from "../ids.ts"
import type { Json } from "../json.ts"
import { allEntries } from "../release/compile.ts"
import type { ChunkTexts, Entry, Release } from "../release/release.ts"
import { isMarker } from "../secret/marker.ts"
import type { Edit } from "./change.ts"

/** Throws Refusal `FLAG_INVALID`, its paths beginning with the key, as a change may edit many. */
const parsed = (key: ConfigKey, value: Json): Json => {
  try {
    return parseFlag(key, value) as unknown as Json
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const errors = error.errors.map(({ path, message }): FieldError => ({ path: `${key}${path}`, message }))
    throw new Refusal(error.code, error.message, { errors })
  }
}

/**
 * The edit with a flag in it as it is kept. What is a flag stays one until it is deleted: whoever asks for it would
 * find none, and its readers something else than they know. Throws Refusal `FLAG_INVALID`.
 */
export const withFlagKept = (edit: Edit, entry: Entry | null): Edit => {
  const { key, value } = edit
  if (value === undefined) return edit
  if (!isFlag(value)) {
    if (!isFlag(entry?.value)) return edit
    const [message, path] = isMarker(value)
      ? ["is a flag, and a flag is never secret", key]
      : ["is a flag, and stays one until it is deleted", key]
    if (!isShort(value))
      throw new Refusal("FLAG_INVALID", `${key} ${message}.`, { errors: [{ path, message }] })
  }
  return { ...edit, value: parsed(key, value) }
}

/** Holds every flag to what makes it evaluate. Throws Refusal `FLAG_INVALID`. */
export const checkFlags = (edits: readonly Edit[]): void => {
  for (const { key, value } of edits) if (isFlag(value)) parsed(key, value)
}

/** Do edited flags need others, so that {@link checkNeeds} has something to look at? */
export const haveNeeds = (edits: readonly Edit[]): boolean =>
  edits.some(({ value }) => isFlag(value) && (value.prerequisites?.length ?? 0) > 0)

/**
 * Holds the edited flags of a release, and those that need them, to needing each other in no circle. Reads all of
 * its chunks. Throws Refusal `FLAG_INVALID`.
 */
export const checkNeeds = ({ manifest }: Release, chunks: ChunkTexts, edits: readonly Edit[]): void => {
  const flags = new Map<string, Definition>()
  for (const [key, { value }] of allEntries(manifest, chunks)) if (isFlag(value)) flags.set(key, value)
  refuseWrong(
    wrongPrerequisites(
      flags,
      edits.map(({ key }) => key),
    ),
  )
}

/** Throws Refusal `FLAG_INVALID` if anything is wrong. */
export const refuseWrong = (errors: readonly FieldError[]): void => {
  const [first] = errors
  if (first) throw new Refusal("FLAG_INVALID", `${first.path}: ${first.message}.`, { errors })
}
