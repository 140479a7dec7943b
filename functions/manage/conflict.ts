import type { Change } from "../../core/change/change.ts"
import { conflictOf } from "../../core/change/conflict.ts"
import { Refusal } from "../../core/errors.ts"
import { type ChangeId, type ConfigKey, parseChangeId } from "../../core/ids.ts"
import type { Json } from "../../core/json.ts"
import type { Entry } from "../../core/release/release.ts"
import { findChange } from "../../db/queries/changes.ts"
import { findVersions } from "../../db/queries/versions.ts"
import { stateWith } from "../platform/promotion.ts"
import type { ManageDeps } from "./deps.ts"
import { stableEntries } from "./show.ts"

type Db = Pick<ManageDeps, "db">

/** What the edited keys were when the change was submitted. */
export const baseEntries = async ({ db }: Db, { content }: Change): Promise<Map<ConfigKey, Entry>> => {
  const { scope, environment, base } = content
  const wanted = content.edits
    .map(({ key }) => ({ key, version: base[key] ?? 0 }))
    .filter(({ version }) => version > 0)
  const versions = wanted.length > 0 ? await findVersions(db, scope, environment, wanted) : []
  return new Map(
    versions.map(({ key, version, edit }) => {
      const { value = null, schema, locked } = edit
      return [
        key,
        { value, version, ...(locked ? { locked } : {}), ...(schema === undefined ? {} : { schema }) },
      ]
    }),
  )
}

/**
 * Of a change that was cancelled because its keys moved: what they were, are and would have been, and the change to
 * submit in its place. `null` for any other.
 */
export const readConflict = async (deps: Db, change: Change): Promise<Json> => {
  const { content, status } = change
  if (status.state !== "cancelled" || status.reason !== "base_moved") return null
  const keys = content.edits.map(({ key }) => key)
  const now = stableEntries(await stateWith(deps, content, keys), keys)
  return conflictOf(change, await baseEntries(deps, change), now) as unknown as Json
}

/** Who comes too late to a change that was overtaken is told what overtook it, and what to submit instead. */
export const withConflict = async <T>(deps: Db, changeId: ChangeId, work: () => Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== "CHANGE_STATE") throw error
    const scope = parseChangeId(changeId)?.scope
    const change = scope && (await findChange(deps.db, scope, changeId))
    const conflict = change ? await readConflict(deps, change) : null
    if (conflict === null) throw error
    const { code, message, errors, extra } = error
    throw new Refusal(code, message, { errors, extra: { ...extra, conflict }, cause: error })
  }
}
