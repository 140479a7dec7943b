import { and, desc, eq, inArray, lt } from "drizzle-orm"
import type { Change, ChangeState } from "../../core/change/change.ts"
import type { Environment } from "../../core/environment.ts"
import type { ChangeId, ScopeId } from "../../core/ids.ts"
import type { Database } from "../client.ts"
import { changes } from "../schema/changes.ts"
import { withTenant } from "../tenant.ts"

export { findChange } from "./find-change.ts"

const columns = {
  content: changes.content,
  status: changes.status,
  approvals: changes.approvals,
  comments: changes.comments,
  versions: changes.versions,
}

const changeOf = ({
  versions,
  ...change
}: Omit<Change, "versions"> & { versions: Record<string, number> | null }): Change =>
  versions ? { ...change, versions } : change

export interface ChangeFilter {
  environment?: Environment
  states?: readonly ChangeState["state"][]
  /** The last one of the page before. */
  before?: ChangeId
  limit: number
}

/** Newest first: a change's id begins with the time it was made. */
export const listChanges = (
  database: Database,
  scope: ScopeId,
  { environment, states, before, limit }: ChangeFilter,
): Promise<Change[]> =>
  withTenant(database, scope, async (tx) => {
    const fits = and(
      eq(changes.tenantId, scope),
      environment === undefined ? undefined : eq(changes.environment, environment),
      states === undefined ? undefined : inArray(changes.state, [...states]),
      before === undefined ? undefined : lt(changes.changeId, before),
    )
    const rows = await tx.db
      .select(columns)
      .from(changes)
      .where(fits)
      .orderBy(desc(changes.changeId))
      .limit(limit)
    return rows.map(changeOf)
  })
