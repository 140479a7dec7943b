import { sql } from "drizzle-orm"
import type { Instant } from "../../core/change/change.ts"
import type { Environment } from "../../core/environment.ts"
import type { ChangeId, ConfigKey, ScopeId } from "../../core/ids.ts"
import type { Database } from "../client.ts"
import { toInstant } from "../instant.ts"
import { withTenant } from "../tenant.ts"

/** What a version is known by, and what it says besides its value. */
export interface VersionFacts {
  key: ConfigKey
  version: number
  changeId: ChangeId
  checksum: string
  description: string | null
  owner: string | null
}

interface Named {
  key: ConfigKey
  version: number
}

const asked = (named: readonly Named[]): string =>
  JSON.stringify(named.map(({ key, version }) => ({ key, version })))

/** Of these versions of these keys; those that there are not are left out. */
export const findVersionFacts = (
  database: Database,
  scope: ScopeId,
  environment: Environment,
  named: readonly Named[],
): Promise<VersionFacts[]> =>
  withTenant(database, scope, async ({ db }) => {
    const rows = await db.execute(sql`
      select v.key, v.version, v.change_id as "changeId", v.checksum,
        v.edit ->> 'description' as description, v.edit ->> 'owner' as owner
      from jsonb_to_recordset(${asked(named)}::jsonb) as a (key text, version int)
      join hotswap.config_versions v on v.tenant_id = ${scope} and v.environment = ${environment}
        and v.key = a.key and v.version = a.version`)
    return [...rows] as unknown as VersionFacts[]
  })

/**
 * Of these versions, the keys whose value came by a promotion. A version that restores an earlier one came as that one did.
 */
export const findPromoted = (
  database: Database,
  scope: ScopeId,
  environment: Environment,
  named: readonly Named[],
): Promise<Set<ConfigKey>> =>
  withTenant(database, scope, async ({ db }) => {
    const rows = await db.execute<{ key: ConfigKey }>(sql`
      with recursive came as (
        select a.key, v.change_id, (v.edit ->> 'restores')::int as restores
        from jsonb_to_recordset(${asked(named)}::jsonb) as a (key text, version int)
        join hotswap.config_versions v on v.tenant_id = ${scope} and v.environment = ${environment}
          and v.key = a.key and v.version = a.version
        union all
        select came.key, v.change_id, (v.edit ->> 'restores')::int
        from came join hotswap.config_versions v on v.tenant_id = ${scope} and v.environment = ${environment}
          and v.key = came.key and v.version = came.restores
      )
      select came.key from came
      join hotswap.changes c on c.tenant_id = ${scope} and c.change_id = came.change_id
      where came.restores is null and c.content ? 'promotedFrom'`)
    return new Set([...rows].map(({ key }) => key))
  })

/** Since when there is anything to read of the scope. `null`: it is not there. */
export const beginningOf = (database: Database, scope: ScopeId): Promise<Instant | null> =>
  withTenant(database, scope, async ({ db }) => {
    const [row] = await db.execute<{ at: string }>(sql`
      select least(t.created_at, (select min(p.at) from hotswap.pointers p where p.tenant_id = t.tenant_id))::text as at
      from hotswap.tenants t where t.tenant_id = ${scope} and t.status <> 'deleted'`)
    return row ? toInstant(row.at) : null
  })
