import type { Principal } from "../../core/access.ts"
import type { Change, ChangeState } from "../../core/change/change.ts"
import { defaultPolicy } from "../../core/change/policy.ts"
import type { Environment } from "../../core/environment.ts"
import { judge, judgedStepOf } from "../../core/gate/judge.ts"
import type { Verdict } from "../../core/gate/verdict.ts"
import { type ChangeId, type ConfigKey, parseChangeId, type ScopeId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import type { Entry } from "../../core/release/release.ts"
import { findChange, listChanges } from "../../db/queries/changes.ts"
import { readGate } from "../../db/queries/gate.ts"
import { findVersions } from "../../db/queries/versions.ts"
import { decodeCursor, encodeCursor } from "../http/cursor.ts"
import { permit } from "../http/route.ts"
import type { ManageDeps } from "./deps.ts"
import { changeNotFound } from "./parse.ts"
import { diffOf, showChange } from "./show.ts"

type Deps = Pick<ManageDeps, "db" | "settings" | "clock">

const policyOf = ({ settings }: Deps, { content }: Change) =>
  defaultPolicy(content.scope, content.environment, settings.environments)

/** The change of that id. Throws CHANGE_NOT_FOUND. */
export const changeOf = async ({ db }: Pick<ManageDeps, "db">, changeId: ChangeId): Promise<Change> => {
  const scope = parseChangeId(changeId)?.scope
  const change = scope && (await findChange(db, scope, changeId))
  if (!change) throw changeNotFound(changeId)
  return change
}

/** What the edited keys were when the change was submitted. */
const baseEntries = async ({ db }: Deps, { content }: Change): Promise<Map<ConfigKey, Entry>> => {
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

/** What the gate says of the step that the change is at. */
const verdictOn = async ({ db, clock }: Deps, { content, status }: Change): Promise<Verdict | null> => {
  const step = judgedStepOf(content.plan, status)
  if (step === null) return null
  const evidence = await readGate(db, content.scope, content.changeId, step.index)
  return judge(evidence, step, clock.now().toISOString())
}

/** A change with its diff against what it was made on. */
export const readChange = async (
  deps: Deps,
  changeId: ChangeId,
  principal: Principal,
): Promise<JsonObject> => {
  const change = await changeOf(deps, changeId)
  const { scope, environment } = change.content
  permit(principal, "change.read", { scope, environment })
  return {
    ...showChange(change, policyOf(deps, change), await verdictOn(deps, change)),
    diff: diffOf(change, await baseEntries(deps, change)),
  }
}

const KEYS_LISTED_MAX = 100

/** A change in a list: which keys it edits, but not what to, as a page of large ones would be larger than any answer. */
const listed = (deps: Deps, change: Change): JsonObject => {
  const {
    edits: _edits,
    base: _base,
    versions: _versions,
    ...shown
  } = showChange(change, policyOf(deps, change))
  const { edits: edited, promotedFrom } = change.content
  return {
    ...shown,
    promotedFrom: promotedFrom
      ? { environment: promotedFrom.environment, release: promotedFrom.release }
      : null,
    keys: edited.slice(0, KEYS_LISTED_MAX).map(({ key }) => key),
    editCount: edited.length,
  }
}

export interface ChangesWanted {
  environment: Environment | null
  states: readonly string[]
  limit: number
  cursor?: string | undefined
}

/** A page of changes, newest first, without their diffs; `wanted` may leave some out of it. */
export const listShownChanges = async (
  deps: Deps,
  scope: ScopeId,
  { environment, states, limit, cursor }: ChangesWanted,
  wanted: (change: Change) => boolean = () => true,
) => {
  const before =
    cursor === undefined ? undefined : (String(decodeCursor("changes", cursor, 1)[0]) as ChangeId)
  const rows = await listChanges(deps.db, scope, {
    limit: limit + 1,
    ...(environment ? { environment } : {}),
    ...(states.length > 0 ? { states: states as ChangeState["state"][] } : {}),
    ...(before ? { before } : {}),
  })
  const page = rows.slice(0, limit)
  const last = rows.length > limit ? page.at(-1) : undefined
  return {
    items: page.filter(wanted).map((change) => listed(deps, change)),
    nextCursor: last ? encodeCursor("changes", [last.content.changeId]) : null,
  }
}
