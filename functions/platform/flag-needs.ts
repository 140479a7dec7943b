import type { EditInput, Submit } from "../../core/change/command.ts"
import { refuseWrong } from "../../core/change/flag-edits.ts"
import type { ScopeState } from "../../core/change/scope-state.ts"
import { Refusal } from "../../core/errors.ts"
import { isShort, parseFlag } from "../../core/flag/flag-document.ts"
import type { Definition } from "../../core/flag/flags.ts"
import { isFlag } from "../../core/flag/is-flag.ts"
import { unmeetable, wrongPrerequisites } from "../../core/flag/prerequisites.ts"
import { type ConfigKey, type Layer, layerOf, parseConfigKey } from "../../core/ids.ts"
import type { Json } from "../../core/json.ts"
import type { Entry } from "../../core/release/release.ts"
import type { Merged } from "../../core/release/view.ts"
import { Secret } from "../../core/secret/secret.ts"
import type { Database } from "../../db/client.ts"
import { type Layered, type LayersEntries, mergedOf, readLayers } from "./layers.ts"
import { stableEntries, type Target } from "./stable.ts"

/** The flags of these keys with all that they need, and what those need, as they are merged. */
export const withNeeded = async (
  layered: Pick<Layered, "entriesOf">,
  keys: readonly ConfigKey[],
): Promise<Merged> => {
  const found: Merged = new Map()
  const seen = new Set(keys)
  let asked = keys
  while (asked.length > 0) {
    const next: ConfigKey[] = []
    for (const [key, entry] of mergedOf(await layered.entriesOf(asked))) {
      if (!isFlag(entry.value)) continue
      found.set(key, entry)
      for (const { flag } of entry.value.prerequisites ?? []) {
        const needed = parseConfigKey(flag)
        if (needed === null || seen.has(needed)) continue
        seen.add(needed)
        next.push(needed)
      }
    }
    asked = next
  }
  return found
}

export const definitionsIn = (merged: Merged): Map<string, Definition> =>
  new Map([...merged].flatMap(([key, { value }]) => (isFlag(value) ? [[key, value] as const] : [])))

/** The flag that an edit writes, if it does, and if it is one at all: the rules of a change say what is wrong else. */
const flagIn = ({ key, value: said, secret }: EditInput, standing: Entry | undefined): Definition | null => {
  const value = said instanceof Secret ? said.reveal() : said
  if (value === undefined || secret === true) return null
  if (!isFlag(value) && !(isShort(value) && isFlag(standing?.value))) return null
  try {
    return parseFlag(key, value)
  } catch (error) {
    if (error instanceof Refusal) return null
    throw error
  }
}

/** The layers as they will be: the edits of flags laid over what their scope has. */
const overlaid =
  (own: Layer, edits: ReadonlyMap<ConfigKey, Definition | null>) =>
  (entries: LayersEntries, keys: readonly ConfigKey[]): LayersEntries => {
    const mine = new Map(entries.get(own))
    for (const key of keys) {
      const edited = edits.get(key)
      if (edited === null) mine.delete(key)
      else if (edited) mine.set(key, { ...mine.get(key), value: edited as unknown as Json, version: 0 })
    }
    return new Map([...entries, [own, mine]])
  }

type Edits = Pick<Submit, "edits">["edits"]

const checkNeeded = async (
  deps: { db: Database },
  target: Target,
  edits: Edits,
  state: ScopeState,
): Promise<void> => {
  const standing = stableEntries(
    state,
    edits.map(({ key }) => key),
  )
  const flags = new Map<ConfigKey, Definition | null>()
  for (const edit of edits) {
    const flag = flagIn(edit, standing.get(edit.key))
    if (flag || edit.delete) flags.set(edit.key, flag)
  }
  const needing = [...flags].flatMap(([key, flag]) => (flag?.prerequisites?.length ? [key] : []))
  if (needing.length === 0) return
  const own = layerOf(target.scope)
  const over = overlaid(own, flags)
  const layered = await readLayers(deps, target, null)
  const merged = await withNeeded(
    { entriesOf: async (keys) => over(await layered.entriesOf(keys), keys) },
    needing,
  )
  // What a farther layer has locked is not read from here, whatever is written.
  const effective = needing.filter((key) => merged.get(key)?.layer === own)
  const definitions = definitionsIn(merged)
  refuseWrong([...wrongPrerequisites(definitions, effective), ...unmeetable(definitions, effective)])
}

/**
 * Holds flags that are to be written to what they need of others, through all layers, as they are now: the decision
 * itself sees its own scope only. Asks once, however often it is called. Throws Refusal `FLAG_INVALID`.
 */
export const neededChecker = (deps: { db: Database }, target: Target, edits: Edits) => {
  let checked: Promise<void> | undefined
  return (state: ScopeState): Promise<void> => {
    checked ??= checkNeeded(deps, target, edits, state)
    return checked
  }
}
