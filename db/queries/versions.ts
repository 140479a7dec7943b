import { and, eq, sql } from "drizzle-orm"
import type { Environment } from "../../core/environment.ts"
import type { ConfigKey, ScopeId } from "../../core/ids.ts"
import type { Database } from "../client.ts"
import { configVersions } from "../schema/config-versions.ts"
import { withTenant } from "../tenant.ts"
import type { StoredVersion } from "./configs.ts"

/** These versions of these keys, in no order; those that there are not are left out. */
export const findVersions = (
  database: Database,
  scope: ScopeId,
  environment: Environment,
  wanted: readonly { key: ConfigKey; version: number }[],
): Promise<StoredVersion[]> =>
  withTenant(database, scope, async (tx) => {
    const { tenantId, environment: environmentColumn, ...columns } = configVersions
    const { key, version, changeId, author, reason, edit, checksum, at } = columns
    const asked = JSON.stringify(
      wanted.map(({ key: name, version: number }) => ({ key: name, version: number })),
    )
    const rows = await tx.db
      .select({ key, version, changeId, author, reason, edit, checksum, at })
      .from(configVersions)
      .where(
        and(
          eq(tenantId, scope),
          eq(environmentColumn, environment),
          sql`(${key}, ${version}) in (select a.key, a.version from jsonb_to_recordset(${asked}::jsonb) as a (key text, version int))`,
        ),
      )
    return rows as StoredVersion[]
  })
