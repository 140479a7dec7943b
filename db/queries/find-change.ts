import type { Change } from "../../core/change/change.ts"
import type { ChangeId, ScopeId } from "../../core/ids.ts"
import type { Database } from "../open.ts"
import { textQuery } from "../text-query.ts"

// Row security looks at the tenant when a statement begins: it has to be set by one of its own.
const setTenant = textQuery("select set_config('hotswap.tenant', $1, true)", ["scope"])

const find = textQuery<{ change: string }>(
  `select json_build_object('content', content, 'status', status, 'approvals', approvals, 'comments', comments,
     'versions', versions)::text as change
   from hotswap.changes where tenant_id = $1 and change_id = $2`,
  ["scope", "changeId"],
)

/** A change, whatever its state. */
export const findChange = async (
  database: Database,
  scope: ScopeId,
  changeId: ChangeId,
): Promise<Change | null> => {
  const [row] = await database.transaction(
    (connection) => connection.run(find, { scope, changeId }),
    (connection) => connection.run(setTenant, { scope }),
  )
  if (row === undefined) return null
  const { versions, ...change } = JSON.parse(row.change) as Change & { versions: Change["versions"] | null }
  return versions ? { ...change, versions } : change
}
