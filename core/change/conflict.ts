import type { ConfigKey } from "../ids.ts"
import type { Json } from "../json.ts"
import type { Entry } from "../release/release.ts"
import type { Change, Edit, Strategy } from "./change.ts"
import { defined } from "./defined.ts"
import type { Draft } from "./draft.ts"
import { isPolicyChange, type PolicyDraft, policyDraft } from "./policy-change.ts"

/** What a key was when the change was made, what it is now, and what the change would have made of it; `null`: not there. */
export interface KeyConflict {
  key: ConfigKey
  base: Entry | null
  now: Entry | null
  yours: Omit<Edit, "key" | "restores"> | null
}

/** What overtook a change, key by key, and the change to submit in its place: the same edits on what is there now. */
export interface Conflict {
  keys: readonly KeyConflict[]
  draft: (Omit<Draft, "edits"> & { strategy: Strategy; edits: readonly ConflictEdit[] }) | PolicyDraft
}
type ConflictEdit = Draft["edits"][number] & Pick<Edit, "description" | "owner">

type Entries = ReadonlyMap<ConfigKey, Entry>

/** `base` and `now` hold what the edited keys were when the change was submitted, and are in stable. */
export const conflictOf = (change: Change, base: Entries, now: Entries): Conflict => {
  const { content, status } = change
  const told = new Set(status.state === "cancelled" ? status.keys : [])
  const moved = content.edits.filter(
    ({ key }) => told.has(key) || (now.get(key)?.version ?? 0) !== (content.base[key] ?? 0),
  )
  return {
    keys: moved.map((edit) => ({
      key: edit.key,
      base: base.get(edit.key) ?? null,
      now: now.get(edit.key) ?? null,
      yours: yoursOf(edit),
    })),
    draft: againAs(change),
  }
}

const againAs = (change: Change): Conflict["draft"] => {
  const {
    changeId,
    scope,
    environment,
    comment = `In place of ${changeId}`,
    strategy,
    edits,
  } = change.content
  if (isPolicyChange(change)) return policyDraft(change.content, edits[0]!, comment)
  return { tenantId: scope, environment, comment, strategy, edits: edits.map(againOf) }
}

const yoursOf = ({ key: _, restores: __, ...edit }: Edit): KeyConflict["yours"] =>
  edit.value === undefined ? null : edit

const againOf = ({ key, value, schema, locked, description, owner, restores }: Edit): ConflictEdit =>
  value === undefined
    ? { key, delete: true }
    : {
        key,
        value,
        schema: schema ?? (null as Json),
        locked: locked ?? false,
        ...defined({ description, owner }),
        ...defined({ restores }),
      }
