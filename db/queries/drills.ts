import { and, eq, sql } from "drizzle-orm"
import type { AuditBody } from "../../core/audit/entry.ts"
import { PLATFORM, type ScopeId, type TenantId } from "../../core/ids.ts"
import type { Database } from "../client.ts"
import { backups } from "../schema/backups.ts"
import { erasures } from "../schema/erasures.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { appendAudit } from "./audit.ts"

/** So long a trial may take; after it the relay destroys what is left of it. */
const TRIAL_HOURS = 2

/**
 * Before anything is restored under that id: that all of it will be destroyed, whatever becomes of who restores it. As a
 * tenant that is being erased it was never anybody's.
 */
export const planScratch = (database: Database, scratch: TenantId, jobId: string): Promise<void> =>
  withTenant(database, scratch, async (tx) => {
    await tx.db.insert(erasures).values({
      tenantId: scratch,
      requestedBy: `drill ${jobId}`,
      dueAt: sql`clock_timestamp() + make_interval(hours => ${sql.raw(String(TRIAL_HOURS))})`,
    })
  })

/** It may be destroyed now. */
export const endScratch = (database: Database, scratch: TenantId): Promise<void> =>
  withTenant(database, scratch, async (tx) => {
    const isLeft = and(eq(erasures.tenantId, scratch), sql`erased_at is null`)
    await tx.db.update(erasures).set({ dueAt: sql`least(due_at, clock_timestamp())` }).where(isLeft)
  })

/** Scratch tenants that are not destroyed yet, and whose trial is over: the job that made them has ended. */
export const leftScratches = (system: Database): Promise<TenantId[]> =>
  system.transaction(async ({ db }) => {
    const rows = await db.execute<{ id: TenantId }>(sql`
      select e.tenant_id as id from hotswap.erasures e
      where e.erased_at is null and e.tenant_id ~ '^drill-[0-9a-f]{32}$' and e.requested_by like 'drill %'
        and not exists (select from hotswap.jobs j where j.tenant_id = ${PLATFORM}
          and 'drill ' || j.job_id = e.requested_by and j.state in ('queued', 'running'))
      order by e.tenant_id limit 1000`)
    return rows.map(({ id }) => id)
  })

/** The archive was read to its end and restored: it is whole. */
export const noteDrilled = (database: Database, scope: ScopeId, backupId: string): Promise<void> =>
  withTenant(database, scope, async (tx) => {
    await tx.db
      .update(backups)
      .set({ drilledAt: sql`clock_timestamp()`, verifiedAt: sql`clock_timestamp()` })
      .where(and(eq(backups.tenantId, scope), eq(backups.backupId, backupId)))
  })

/** `also` is written in the same transaction. */
export const noteDrill = (
  database: Database,
  audit: AuditBody,
  also: (tx: TenantTx) => Promise<void>,
): Promise<void> =>
  withTenant(database, PLATFORM, async (tx) => {
    await appendAudit(tx, [audit])
    await also(tx)
  })
