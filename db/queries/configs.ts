import { and, desc, eq, lt } from "drizzle-orm"
import type { Instant } from "../../core/change/change.ts"
import type { VersionRow } from "../../core/change/scope-state.ts"
import type { Environment } from "../../core/environment.ts"
import type { ConfigKey, ScopeId } from "../../core/ids.ts"
import type { Database } from "../client.ts"
import { configVersions } from "../schema/config-versions.ts"
import { withTenant } from "../tenant.ts"

export type StoredVersion = VersionRow & { at: Instant }

const { tenantId, environment: environmentColumn, ...columns } = configVersions
const selected = {
  key: columns.key,
  version: columns.version,
  changeId: columns.changeId,
  author: columns.author,
  reason: columns.reason,
  edit: columns.edit,
  checksum: columns.checksum,
  at: columns.at,
}

const of = (scope: ScopeId, environment: Environment, key: ConfigKey) =>
  and(eq(tenantId, scope), eq(environmentColumn, environment), eq(columns.key, key))

/** A key's versions, newest first; `before` is the last one of the page before. */
export const listVersions = (
  database: Database,
  scope: ScopeId,
  environment: Environment,
  key: ConfigKey,
  { limit, before }: { limit: number; before?: number },
): Promise<StoredVersion[]> =>
  withTenant(database, scope, async (tx) => {
    const older = before === undefined ? undefined : lt(columns.version, before)
    const rows = await tx.db
      .select(selected)
      .from(configVersions)
      .where(and(of(scope, environment, key), older))
      .orderBy(desc(columns.version))
      .limit(limit)
    return rows as StoredVersion[]
  })

export const findVersion = (
  database: Database,
  scope: ScopeId,
  environment: Environment,
  key: ConfigKey,
  version: number,
): Promise<StoredVersion | null> =>
  withTenant(database, scope, async (tx) => {
    const one = and(of(scope, environment, key), eq(columns.version, version))
    const [row] = await tx.db.select(selected).from(configVersions).where(one)
    return (row as StoredVersion | undefined) ?? null
  })
