import type { ChangeState, Instant } from "../../core/change/change.ts"
import type { Environment } from "../../core/environment.ts"
import type { ChangeId, ScopeId } from "../../core/ids.ts"
import type { Database, Runner } from "../open.ts"
import { textQuery } from "../text-query.ts"

const keep = textQuery("select hotswap.keep_task_token($1, $2, $3)", ["scope", "changeId", "taskToken"])

const take = textQuery<{ token: string | null }>("select hotswap.take_task_token($1, $2) as token", [
  "scope",
  "changeId",
])

/** Remembers who waits for the change; whoever waited before is forgotten. The change has to be there. */
export const keepTaskToken = async (
  runner: Runner,
  scope: ScopeId,
  changeId: ChangeId,
  taskToken: string,
): Promise<void> => {
  await runner.run(keep, { scope, changeId, taskToken })
}

/** Who waits for the change, once: of several that ask, one is told. `null`: nobody does. */
export const takeTaskToken = async (
  runner: Runner,
  scope: ScopeId,
  changeId: ChangeId,
): Promise<string | null> => {
  const [row] = await runner.run(take, { scope, changeId })
  return row?.token ?? null
}

/** As much of a change as it takes to tell what it waits for. */
export interface PacedChange {
  environment: Environment
  status: ChangeState
  /** When the clock should look at it next; `null`: never, unless something happens to it. */
  dueAt: Instant | null
}

// Row security looks at the tenant when a statement begins: it has to be set by one of its own.
const setTenant = textQuery("select set_config('hotswap.tenant', $1, true)", ["scope"])

const findDue = textQuery<{ change: string }>(
  `select json_build_object('environment', environment, 'status', status, 'dueAt', due_at)::text as change
   from hotswap.changes where tenant_id = $1 and change_id = $2`,
  ["scope", "changeId"],
)

export const findPaced = async (
  database: Database,
  scope: ScopeId,
  changeId: ChangeId,
): Promise<PacedChange | null> => {
  const [row] = await database.transaction(
    (connection) => connection.run(findDue, { scope, changeId }),
    (connection) => connection.run(setTenant, { scope }),
  )
  return row === undefined ? null : (JSON.parse(row.change) as PacedChange)
}
