import { and, eq, ne, sql } from "drizzle-orm"
import type { AuditBody } from "../../core/audit/entry.ts"
import { instantOf, nextDueMs, type OwnSchedule, scheduleInForce } from "../../core/backup/schedule.ts"
import type { Instant } from "../../core/change/change.ts"
import type { ScopeId, Tier } from "../../core/ids.ts"
import type { Database } from "../client.ts"
import { backupSchedules } from "../schema/backups.ts"
import { tenants } from "../schema/tenants.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { appendAudit } from "./audit.ts"
import { type Remember, remember } from "./replies.ts"

/** What a scope says for itself, and how it goes. */
export interface KeptSchedule extends OwnSchedule {
  nextDueAt: Instant
  /** Of the last complete backup. */
  lastAt: Instant | null
  /** In a row. */
  failures: number
}

const own = (tx: TenantTx) => eq(backupSchedules.tenantId, tx.scope)

const kept = {
  everyHours: backupSchedules.everyHours,
  keepLast: backupSchedules.keepLast,
  keepDaily: backupSchedules.keepDaily,
  keepWeekly: backupSchedules.keepWeekly,
  keepMonthly: backupSchedules.keepMonthly,
  paused: backupSchedules.paused,
  nextDueAt: backupSchedules.nextDueAt,
  lastAt: backupSchedules.lastAt,
  failures: backupSchedules.failures,
}

const tierOf = async (tx: TenantTx): Promise<Tier | null> => {
  const [row] = await tx.db.select({ tier: tenants.tier }).from(tenants).where(eq(tenants.tenantId, tx.scope))
  return row?.tier ?? null
}

/** Also against being deleted until the transaction ends. */
const isHere = async (tx: TenantTx): Promise<boolean> => {
  const rows = await tx.db
    .select({ id: tenants.tenantId })
    .from(tenants)
    .where(and(eq(tenants.tenantId, tx.scope), ne(tenants.status, "deleted")))
    .for("no key update")
  return rows.length > 0
}

const nowMs = async (tx: TenantTx): Promise<number> => {
  const [row] = await tx.db.execute<{ ms: number }>(
    sql`select floor(extract(epoch from clock_timestamp()) * 1000)::float8 as ms`,
  )
  return row!.ms
}

/** Its schedule, and what the time is: the row is made if there is none, and held until the transaction ends. */
export const heldSchedule = async (
  tx: TenantTx,
): Promise<KeptSchedule & { tier: Tier | null; nowMs: number }> => {
  const [tier, ms] = await Promise.all([tierOf(tx), nowMs(tx)])
  const nextDueAt = instantOf(nextDueMs(tx.scope, scheduleInForce(tier, null).everyHours, ms))
  // Sent together, and done one after the other.
  const [, [row]] = await Promise.all([
    tx.db.insert(backupSchedules).values({ tenantId: tx.scope, nextDueAt }).onConflictDoNothing(),
    tx.db.select(kept).from(backupSchedules).where(own(tx)).for("no key update"),
  ])
  return { ...row!, tier, nowMs: ms }
}

/** A scope's schedule and the tier that fills it up. `schedule` is `null` before it was ever planned or set. */
export const findSchedule = (
  database: Database,
  scope: ScopeId,
): Promise<{ tier: Tier | null; schedule: KeptSchedule | null }> =>
  withTenant(database, scope, async (tx) => {
    const [schedule] = await tx.db.select(kept).from(backupSchedules).where(own(tx))
    return { tier: await tierOf(tx), schedule: schedule ?? null }
  })

/** Replaces what a scope says for itself. `null`: there is no such scope, or it was deleted. Its next backup is then due at its own point of the new period. */
export const setSchedule = (
  database: Database,
  scope: ScopeId,
  wanted: OwnSchedule,
  audit: AuditBody,
  reply?: Remember<KeptSchedule>,
): Promise<KeptSchedule | null> =>
  withTenant(database, scope, async (tx) => {
    if (!(await isHere(tx))) return null
    const held = await heldSchedule(tx)
    const { everyHours } = scheduleInForce(held.tier, wanted)
    const nextDueAt = instantOf(nextDueMs(scope, everyHours, held.nowMs))
    const [row] = await tx.db
      .update(backupSchedules)
      .set({ ...wanted, nextDueAt, updatedAt: sql`clock_timestamp()` })
      .where(own(tx))
      .returning(kept)
    await appendAudit(tx, [audit])
    await remember(tx, reply, row!)
    return row!
  })

/** Puts a scope that was never planned on its schedule. */
export const startSchedule = (database: Database, scope: ScopeId): Promise<void> =>
  withTenant(database, scope, async (tx) => {
    await heldSchedule(tx)
  })

/** It was planned by somebody else meanwhile, or is not due any more. */
export class NotDue extends Error {}

/** Says that this job is the one that makes the backup now due. Throws {@link NotDue}. */
export const markPlanned = async (tx: TenantTx, jobId: string, nextDueAt: Instant): Promise<void> => {
  const rows = await tx.db
    .update(backupSchedules)
    .set({ plannedJob: jobId, nextDueAt })
    .where(and(own(tx), sql`planned_job is null and next_due_at <= clock_timestamp() and not paused`))
    .returning({ id: backupSchedules.tenantId })
  if (rows.length === 0) throw new NotDue()
}

/** How the planned job ended: `retryAt` where it failed. Once: whoever comes second alters nothing. */
export const settlePlanned = (
  database: Database,
  scope: ScopeId,
  jobId: string,
  retryAt: Instant | null,
): Promise<void> =>
  withTenant(database, scope, async (tx) => {
    await tx.db
      .update(backupSchedules)
      .set({
        plannedJob: null,
        ...(retryAt === null ? {} : { failures: sql`failures + 1`, nextDueAt: retryAt }),
      })
      .where(and(own(tx), eq(backupSchedules.plannedJob, jobId)))
  })

/** No job could be made: not at the head of the queue until then. */
export const postpone = (database: Database, scope: ScopeId, until: Instant): Promise<void> =>
  withTenant(database, scope, async (tx) => {
    await tx.db.update(backupSchedules).set({ nextDueAt: until }).where(own(tx))
  })

/**
 * In the transaction that begins to write an archive of the scope, before its row is made. `false`: what nobody needs is just
 * being taken away there, and a part that is reused might go with it; try again soon. From then on nothing is taken
 * away until the row `writing` is complete or its job has ended.
 */
export const beginWriting = async (tx: TenantTx): Promise<boolean> => {
  await heldSchedule(tx)
  return await isFree(tx)
}

/** Is nothing being taken away? For whoever holds the schedule. */
export const isFree = async (tx: TenantTx): Promise<boolean> => {
  const [row] = await tx.db
    .select({ isFree: sql<boolean>`coalesce(removing_until <= clock_timestamp(), true)` })
    .from(backupSchedules)
    .where(own(tx))
  return row!.isFree
}
