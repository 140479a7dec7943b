import type { Change } from "../../core/change/change.ts"
import type { Json, JsonObject } from "../../core/json.ts"
import type { EditDifference } from "../../core/release/diff.ts"

const KEYS_TOLD_MAX = 1_000
const CHARACTERS_TOLD_MAX = 1_024 * 1_024

/** What a change does to each key, as much of it as a job's result has room for that tells of so many; the change itself tells all. */
export const toldDiff = (
  diff: readonly EditDifference[],
  changes = 1,
): { diff: Json[]; diffTruncated: boolean } => {
  const told: Json[] = []
  let characters = 0
  for (const difference of diff) {
    characters += JSON.stringify(difference).length
    if (told.length === KEYS_TOLD_MAX || characters > CHARACTERS_TOLD_MAX / changes) break
    told.push(difference as unknown as Json)
  }
  return { diff: told, diffTruncated: told.length < diff.length }
}

/** What became of a change; of none, that there was nothing to do. */
export const reportOf = (change: Change | null, isFiled: boolean) => {
  const edits = change?.content.edits ?? []
  const deleted = edits.filter(({ value }) => value === undefined).length
  return {
    changeId: isFiled && change ? change.content.changeId : null,
    state: change?.status.state ?? "unchanged",
    set: edits.length - deleted,
    deleted,
  } satisfies JsonObject
}
