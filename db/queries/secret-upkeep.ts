import { and, eq, lt, sql } from "drizzle-orm"
import type { AuditBody } from "../../core/audit/entry.ts"
import type { ScopeId } from "../../core/ids.ts"
import type { Database } from "../client.ts"
import { channels } from "../schema/notifications.ts"
import { dataKeys } from "../schema/secrets.ts"
import { withTenant } from "../tenant.ts"
import { appendAudit } from "./audit.ts"
import { type Remember, remember } from "./replies.ts"

/** A realm of which something is sealed by a key before its latest, or not sealed yet. */
export interface AgedRealm {
  scope: ScopeId
  realm: string
  /** The latest. */
  generation: number
}

/** As the system role, which sees what there is and nothing of it. */
export const agedRealms = (system: Database, limit: number): Promise<AgedRealm[]> =>
  system.transaction(async ({ db }) => {
    const rows = await db.execute<AgedRealm & Record<string, unknown>>(sql`
      with latest as (
        select tenant_id, realm, max(generation) as generation from hotswap.data_keys group by tenant_id, realm)
      (select tenant_id as scope, realm, generation from latest l where generation > 1 and exists (
        select from hotswap.secret_values v
        where v.tenant_id = l.tenant_id and v.environment = l.realm and v.generation < l.generation) limit ${limit})
      union
      (select distinct c.tenant_id as scope, '~channels' as realm, coalesce(l.generation, 1) as generation
        from hotswap.channels c left join latest l on l.tenant_id = c.tenant_id and l.realm = '~channels'
        where c.generation < coalesce(l.generation, 1) limit ${limit})`)
    return rows.map(({ scope, realm, generation }) => ({ scope, realm, generation }))
  })

/** The names of all keys that wrap data keys, as the system role. */
export const wrappingKeys = (system: Database): Promise<string[]> =>
  system.transaction(async ({ db }) => {
    const rows = await db.selectDistinct({ by: dataKeys.wrappedBy }).from(dataKeys)
    return rows.map(({ by }) => by)
  })

export interface AgedChannel {
  tenantId: ScopeId
  channelId: string
  secret: string
}

/** Those whose secret is sealed by a generation before this one, or not at all. */
export const agedChannels = (
  database: Database,
  scope: ScopeId,
  generation: number,
): Promise<AgedChannel[]> =>
  withTenant(database, scope, async (tx) => {
    const columns = { tenantId: channels.tenantId, channelId: channels.channelId, secret: channels.secret }
    const isAged = and(eq(channels.tenantId, scope), lt(channels.generation, generation))
    return (await tx.db.select(columns).from(channels).where(isAged)) as AgedChannel[]
  })

/** The same secret, sealed anew; where somebody was faster, theirs stays. */
export const resealChannel = (
  database: Database,
  { tenantId, channelId, secret: was }: AgedChannel,
  secret: string,
): Promise<void> =>
  withTenant(database, tenantId, async (tx) => {
    const same = and(
      eq(channels.tenantId, tenantId),
      eq(channels.channelId, channelId),
      eq(channels.secret, was),
    )
    await tx.db.update(channels).set({ secret }).where(same)
  })

interface Wrapped {
  realm: string
  generation: number
  wrapped: Uint8Array
  wrappedBy: string
}

/**
 * New data keys for a scope's realms, and the ones it has under another wrapping key, in one transaction with what the
 * audit trail holds of it. `false`: somebody else did so at this moment, and nothing was written. Throws `KeyTaken`.
 */
export const rotateDataKeys = (
  database: Database,
  scope: ScopeId,
  { fresh, rewrapped }: { fresh: readonly Wrapped[]; rewrapped: readonly Wrapped[] },
  audit: AuditBody,
  reply?: Remember<null>,
): Promise<boolean> =>
  withTenant(database, scope, async (tx) => {
    // Two at once would each wrap what the other has replaced.
    await tx.db.execute(sql`select pg_advisory_xact_lock(hotswap.scope_lock(${scope}, '~keys'))`)
    for (const { realm, generation, wrapped, wrappedBy } of rewrapped) {
      const named = and(
        eq(dataKeys.tenantId, scope),
        eq(dataKeys.realm, realm),
        eq(dataKeys.generation, generation),
      )
      const isThere = sql`${dataKeys.wrapped} is not null`
      await tx.db.update(dataKeys).set({ wrapped, wrappedBy }).where(and(named, isThere))
    }
    if (fresh.length > 0) {
      const rows = fresh.map((key) => ({ ...key, tenantId: scope }))
      const made = await tx.db
        .insert(dataKeys)
        .values(rows)
        .onConflictDoNothing()
        .returning({ realm: dataKeys.realm })
      if (made.length < rows.length) throw new Overtaken()
    }
    await appendAudit(tx, [audit])
    await remember(tx, reply, null)
    return true
  }).catch((error: unknown) => {
    if (error instanceof Overtaken) return false
    throw error
  })

class Overtaken extends Error {}
