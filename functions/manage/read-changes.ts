import type { Principal } from "../../core/access.ts"
import type { Change, ChangeState } from "../../core/change/change.ts"
import type { Policy } from "../../core/change/policy.ts"
import type { Environment } from "../../core/environment.ts"
import { judge, judgedStepOf } from "../../core/gate/judge.ts"
import { GATE } from "../../core/gate/thresholds.ts"
import type { Verdict } from "../../core/gate/verdict.ts"
import { judgeWaves } from "../../core/gate/waves-judge.ts"
import { type ChangeId, parseChangeId, type ScopeId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import { findChange, listChanges } from "../../db/queries/changes.ts"
import { readPolicies } from "../../db/queries/policies.ts"
import { decodeCursor, encodeCursor } from "../http/cursor.ts"
import { permit } from "../http/route.ts"
import { policyIn } from "../platform/policies.ts"
import { reportsOn } from "../platform/reports.ts"
import { baseEntries, readConflict } from "./conflict.ts"
import type { ManageDeps } from "./deps.ts"
import { changeNotFound } from "./parse.ts"
import { diffOf, showChange, type Target } from "./show.ts"

type Deps = Pick<ManageDeps, "db" | "settings" | "clock">

/** The policy in force for a scope × environment. */
export const policyFor = async (
  deps: Pick<ManageDeps, "db" | "settings">,
  { scope, environment }: Target,
): Promise<Policy> =>
  policyIn(deps, { scope, environment, policies: await readPolicies(deps.db, scope, environment) })

/** The same, read once for each environment of a scope. */
const policiesOf = (deps: Deps, scope: ScopeId) => {
  const read = new Map<Environment, Promise<Policy>>()
  return (environment: Environment): Promise<Policy> => {
    const policy = read.get(environment) ?? policyFor(deps, { scope, environment })
    read.set(environment, policy)
    return policy
  }
}

/** The change of that id. Throws CHANGE_NOT_FOUND. */
export const changeOf = async ({ db }: Pick<ManageDeps, "db">, changeId: ChangeId): Promise<Change> => {
  const scope = parseChangeId(changeId)?.scope
  const change = scope && (await findChange(db, scope, changeId))
  if (!change) throw changeNotFound(changeId)
  return change
}

/** What the gate says of the step that the change is at. */
const verdictOn = async ({ db, clock }: Deps, change: Change): Promise<Verdict | null> => {
  const { content, status } = change
  const step = judgedStepOf(content.plan, status)
  if (step === null) return null
  const now = clock.now().toISOString()
  const thresholds = { ...GATE, ...content.gate }
  const { evidence, waves } = await reportsOn(db, change)
  if (waves) return judgeWaves(waves, step, now, thresholds)
  return evidence ? judge(evidence, step, now, thresholds) : null
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
    ...showChange(change, await policyFor(deps, change.content), await verdictOn(deps, change)),
    diff: diffOf(change, await baseEntries(deps, change)),
    conflict: await readConflict(deps, change),
  }
}

const KEYS_LISTED_MAX = 100

/** A change in a list: which keys it edits, but not what to, as a page of large ones would be larger than any answer. */
const listed = (change: Change, policy: Policy): JsonObject => {
  const { edits: _edits, base: _base, versions: _versions, ...shown } = showChange(change, policy)
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
  wanted: (change: Change, policy: Policy) => boolean = () => true,
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
  const policyOf = policiesOf(deps, scope)
  const items: JsonObject[] = []
  for (const change of page) {
    const policy = await policyOf(change.content.environment)
    if (wanted(change, policy)) items.push(listed(change, policy))
  }
  return {
    items,
    nextCursor: last ? encodeCursor("changes", [last.content.changeId]) : null,
  }
}
