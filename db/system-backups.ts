import { sql } from "drizzle-orm"
import type { Instant } from "../core/change/change.ts"
import type { ScopeId, TenantId, Tier } from "../core/ids.ts"
import type { JobKind } from "../core/job/job.ts"
import type { Database } from "./client.ts"

// As `system.ts`, for backups: when each scope is due and how it goes, not what is in it.

export interface DueBackup {
  scope: ScopeId
  tier: Tier | null
  /** Its own word; `null`: its tier's. */
  everyHours: number | null
  failures: number
}

const due = sql`s.tenant_id as scope, t.tier, s.every_hours as "everyHours", s.failures`

/** Scopes whose backup is due, the longest waiting first. Suspended tenants too; deleted ones not. */
export const dueBackups = (system: Database, limit: number): Promise<DueBackup[]> =>
  system.transaction(async ({ db }) => [
    ...(await db.execute<DueBackup & Record<string, unknown>>(sql`
      select ${due} from hotswap.backup_schedules s join hotswap.tenants t on t.tenant_id = s.tenant_id
      where s.next_due_at <= clock_timestamp() and not s.paused and s.planned_job is null and t.status <> 'deleted'
      order by s.next_due_at, s.tenant_id limit ${limit}`)),
  ])

/** Scopes that no schedule has been begun for. */
export const scopesWithoutSchedule = (system: Database, limit: number): Promise<ScopeId[]> =>
  system.transaction(async ({ db }) => {
    const rows = await db.execute<{ scope: ScopeId }>(sql`
      select t.tenant_id as scope from hotswap.tenants t
      where t.status <> 'deleted'
        and not exists (select from hotswap.backup_schedules s where s.tenant_id = t.tenant_id)
      order by t.tenant_id limit ${limit}`)
    return rows.map(({ scope }) => scope)
  })

export const countOpenJobs = (system: Database, kind: JobKind): Promise<number> =>
  system.transaction(async ({ db }) => {
    const [row] = await db.execute<{ many: number }>(sql`
      select count(*)::int as many from hotswap.jobs where state in ('queued', 'running') and kind = ${kind}`)
    return row!.many
  })

export interface EndedPlan extends DueBackup {
  jobId: string
  state: "succeeded" | "failed" | "cancelled" | "forgotten"
}

/** Planned backups whose job is over. */
export const endedPlans = (system: Database, limit: number): Promise<EndedPlan[]> =>
  system.transaction(async ({ db }) => [
    ...(await db.execute<EndedPlan & Record<string, unknown>>(sql`
      select ${due}, s.planned_job as "jobId", coalesce(j.state, 'forgotten') as state
      from hotswap.backup_schedules s join hotswap.tenants t on t.tenant_id = s.tenant_id
      left join hotswap.jobs j on j.tenant_id = s.tenant_id and j.job_id = s.planned_job
      where s.planned_job is not null and coalesce(j.state, '') not in ('queued', 'running')
      order by s.tenant_id limit ${limit}`)),
  ])

/**
 * Scopes that retention has not looked at since `before`, or that an archive was removed of since, the longest ago first. Of deleted
 * tenants the erasure takes all.
 */
export const scopesToRetain = (
  system: Database,
  before: Instant,
  limit: number,
): Promise<{ scope: ScopeId; tier: Tier | null }[]> =>
  system.transaction(async ({ db }) => [
    ...(await db.execute<{ scope: ScopeId; tier: Tier | null }>(sql`
      select s.tenant_id as scope, t.tier from hotswap.backup_schedules s
      join hotswap.tenants t on t.tenant_id = s.tenant_id
      where t.status <> 'deleted' and exists (select from hotswap.backups b where b.tenant_id = s.tenant_id
        and (coalesce(s.retained_at, '-infinity') < ${before}::timestamptz or b.removed_at > s.retained_at))
      order by s.retained_at nulls first, s.tenant_id limit ${limit}`)),
  ])

/** Forgets archives that were given up 100 days ago, some thousands at the most; returns how many. */
export const forgetRemoved = (system: Database): Promise<number> =>
  system.transaction(async ({ db }) => {
    const rows = await db.execute(sql`
      delete from hotswap.backups where (tenant_id, backup_id) in (
        select tenant_id, backup_id from hotswap.backups
        where state = 'removed' and removed_at < now() - interval '100 days' limit 5000) returning tenant_id`)
    return rows.length
  })

/** Tenants that have been backed up, drawn by lot. */
export const drawTenants = (system: Database, many: number): Promise<TenantId[]> =>
  system.transaction(async ({ db }) => {
    const rows = await db.execute<{ tenantId: TenantId }>(sql`
      select s.tenant_id as "tenantId" from hotswap.backup_schedules s
      join hotswap.tenants t on t.tenant_id = s.tenant_id
      where s.last_at is not null and t.tier is not null and t.status <> 'deleted'
      order by random() limit ${many}`)
    return rows.map(({ tenantId }) => tenantId)
  })

export interface BackupFigures {
  scopes: number
  paused: number
  never: number
  overdue: number
  failing: number
  oldestAgeSeconds: number | null
  /** Since the epoch. */
  lastDrillSeconds: number | null
}

/** Twice its period ago: one may be just being made. The tiers' periods come from `core`. */
const isOverdue = (tierHours: Readonly<Record<string, number>>) => sql`
  coalesce(s.last_at, s.started_at) < now() - make_interval(
    hours => 2 * coalesce(s.every_hours, (${JSON.stringify(tierHours)}::jsonb ->> coalesce(s.tier, ''))::int))`

/** How backups go over all scopes together. `tierHours`: each tier's period, and the platform's under `""`. */
export const backupFigures = (
  system: Database,
  tierHours: Readonly<Record<string, number>>,
): Promise<BackupFigures> =>
  system.transaction(async ({ db }) => {
    const [row] = await db.execute<BackupFigures & Record<string, unknown>>(sql`
      with s as (
        select c.every_hours, c.last_at, c.failures, c.paused, t.tier, t.created_at as started_at
        from hotswap.tenants t left join hotswap.backup_schedules c on c.tenant_id = t.tenant_id
        where t.status <> 'deleted')
      select count(*)::int as scopes,
        (count(*) filter (where s.paused))::int as paused,
        (count(*) filter (where s.last_at is null))::int as never,
        (count(*) filter (where not coalesce(s.paused, false) and ${isOverdue(tierHours)}))::int as overdue,
        (count(*) filter (where s.failures > 0))::int as failing,
        extract(epoch from now() - min(s.last_at) filter (where not s.paused))::float8 as "oldestAgeSeconds",
        (select extract(epoch from max(j.ended_at))::float8 from hotswap.jobs j
          where j.tenant_id = '~platform' and j.kind = 'backup.drill' and j.state = 'succeeded') as "lastDrillSeconds"
      from s`)
    return row!
  })

/** Of jobs by kind: how many are open, and how many were given up within the last day. */
export const jobFigures = (
  system: Database,
): Promise<{ kind: JobKind; queued: number; running: number; dead: number; waitedSeconds: number }[]> =>
  system.transaction(async ({ db }) => [
    ...(await db.execute<{
      kind: JobKind
      queued: number
      running: number
      dead: number
      waitedSeconds: number
    }>(sql`
      select kind, (count(*) filter (where state = 'queued'))::int as queued,
        (count(*) filter (where state = 'running'))::int as running,
        (count(*) filter (where state = 'failed'))::int as dead,
        coalesce(extract(epoch from now() - min(due_at) filter (where state = 'queued' and due_at <= now())), 0)::float8
          as "waitedSeconds"
      from hotswap.jobs
      where state in ('queued', 'running') or (state = 'failed' and ended_at > now() - interval '1 day')
      group by kind order by kind`)),
  ])
