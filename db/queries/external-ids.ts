import type { TenantId } from "../../core/ids.ts"
import type { Database } from "../open.ts"
import { textQuery } from "../text-query.ts"

// Row security looks at the name when a statement begins: it has to be set by one of its own.
const setName = textQuery("select set_config('hotswap.external_id', $1, true)", ["externalId"])

const find = textQuery<{ tenantId: string }>(
  `select tenant_id as "tenantId" from hotswap.external_ids where external_id = $1`,
  ["externalId"],
)

/** The tenant of that external id, as the read role may find it: by name only. */
export const findExternalId = async (database: Database, externalId: string): Promise<TenantId | null> => {
  const [row] = await database.transaction(
    (connection) => connection.run(find, { externalId }),
    (connection) => connection.run(setName, { externalId }),
  )
  return (row?.tenantId as TenantId | undefined) ?? null
}
