import type { Change, TrippedTenant } from "../../core/change/change.ts"
import type { Commit, ScopeState } from "../../core/change/scope-state.ts"
import type { Environment } from "../../core/environment.ts"
import type { ChangeId, ScopeId } from "../../core/ids.ts"
import type { Audience } from "../../core/release/release.ts"
import type { Database, Runner } from "../../db/client.ts"
import { commitScope, loadScope } from "../../db/queries/scope.ts"
import { DEVELOPMENT, directCommit, key, newChangeId } from "./fixtures.ts"

const NOBODY: Audience = { tiers: [], tenants: [], excluded: [] }

/** Where a rollout is: whom it reaches, and whom the candidate failed. */
export interface Reach {
  step?: number
  weightBp?: number
  audience?: Partial<Audience>
  tripped?: readonly TrippedTenant[]
}

export const loadState = async (
  runner: Runner,
  scope: ScopeId,
  environment: Environment = DEVELOPMENT,
): Promise<ScopeState> => (await loadScope(runner, { scope, environment, keys: [key("k")] }))!.state

/** Starts a rollout by waves, or moves one that runs. */
export const rollingCommit = (state: ScopeState, changeId: ChangeId, reach: Reach): Commit => {
  const { step = 0, weightBp = 0, audience, tripped } = reach
  const commit = directCommit(state, "k", step, changeId)
  const [first] = commit.changes
  const change: Change = {
    ...first!.change,
    status: {
      state: "rolling_out",
      step,
      enteredAt: "2026-03-01T00:00:00.000Z",
      startedAt: "2026-03-01T00:00:00.000Z",
      paused: false,
      heldMs: 0,
      ...(tripped && { tripped }),
    },
  }
  return {
    ...commit,
    pointer: {
      ...commit.pointer!,
      stable: state.pointer.stable,
      candidate: {
        release: commit.pointer!.stable,
        changeId,
        step,
        weightBp,
        audience: { ...NOBODY, ...audience },
      },
      cause: "start",
    },
    versions: [],
    changes: [{ change, isNew: !state.changes.has(changeId), dueAt: null }],
  }
}

/** A rollout by waves of a shared scope, for tests to move. */
export const startRollout = async (
  database: Database,
  scope: ScopeId,
  reach: Reach,
  environment: Environment = DEVELOPMENT,
) => {
  const changeId = newChangeId(scope)
  const move = async (next: Reach): Promise<number> => {
    const state = await loadState(database, scope, environment)
    const committed = await commitScope(database, rollingCommit(state, changeId, next))
    if (committed.kind !== "committed") throw new Error("nobody else moves it")
    return committed.seq
  }
  /** Back to stable: nobody gets the candidate any more. */
  const end = async (): Promise<number> => {
    const state = await loadState(database, scope, environment)
    const rolling = rollingCommit(state, changeId, {})
    const [{ change }] = rolling.changes as [Commit["changes"][number]]
    const status: Change["status"] = {
      state: "rolled_back",
      at: "2026-03-01T00:00:00.000Z",
      by: "x",
      reason: "aborted",
    }
    const committed = await commitScope(database, {
      ...rolling,
      pointer: { ...rolling.pointer!, candidate: null, cause: "rolled_back" },
      changes: [{ change: { ...change, status }, isNew: false, dueAt: null }],
    })
    if (committed.kind !== "committed") throw new Error("nobody else moves it")
    return committed.seq
  }
  await move(reach)
  return { changeId, move, end }
}
