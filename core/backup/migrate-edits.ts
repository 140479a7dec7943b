import type { EditInput } from "../change/command.ts"
import type { ConfigKey } from "../ids.ts"
import { canonical, type Json } from "../json.ts"
import type { KeptKey } from "./restore-edits.ts"

export interface MigrateEdits {
  edits: readonly EditInput[]
  /** The target's own, which stay: what is there did not come by a promotion, and is something else. */
  kept: readonly ConfigKey[]
}

/**
 * Of a promotion's edits those that leave the target's own overrides be. `promoted` are the target's keys whose value came by a
 * promotion; whatever else is there somebody has set there.
 */
export const migrateEdits = (
  promotion: readonly EditInput[],
  present: ReadonlyMap<ConfigKey, KeptKey>,
  promoted: ReadonlySet<ConfigKey>,
): MigrateEdits => {
  const edits: EditInput[] = []
  const kept: ConfigKey[] = []
  for (const edit of promotion) {
    const there = present.get(edit.key)
    if (there === undefined || promoted.has(edit.key) || isSame(edit, there)) edits.push(edit)
    else kept.push(edit.key)
  }
  return { edits, kept: kept.sort() }
}

/** A secret is never compared: what is sealed there is the target's own until it was promoted. */
const isSame = (edit: EditInput, { entry }: KeptKey): boolean =>
  edit.copies === undefined &&
  textOf(edit.value as Json, edit.schema, edit.locked) === textOf(entry.value, entry.schema, entry.locked)

const textOf = (value: Json, schema: Json | undefined, locked: boolean | undefined): string =>
  canonical([value, schema ?? null, locked ?? false])
