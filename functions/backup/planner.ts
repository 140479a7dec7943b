import { instantOf, nextDueMs, retryMs, scheduleInForce } from "../../core/backup/schedule.ts"
import { type Job, SCHEDULE_OWNER } from "../../core/job/job.ts"
import type { JsonObject } from "../../core/json.ts"
import {
  markPlanned,
  NotDue,
  postpone,
  settlePlanned,
  startSchedule,
} from "../../db/queries/backup-schedules.ts"
import {
  countOpenJobs,
  type DueBackup,
  dueBackups,
  type EndedPlan,
  endedPlans,
  scopesWithoutSchedule,
} from "../../db/system-backups.ts"
import type { BackupPlatform } from "../platform/compose-backup.ts"
import { createJob } from "../platform/jobs.ts"

/** Backups that wait or are made at once, of all scopes together. The next run plans what is due beyond them. */
export const OPEN_MAX = 500
const SETTLED_MAX = 2_000
const STARTED_MAX = 2_000

const everyHoursOf = ({ tier, everyHours }: DueBackup): number =>
  everyHours ?? scheduleInForce(tier, null).everyHours

/** What became of those planned before: who failed is told of, and tried again later and later. */
const settle = async ({
  db,
  system,
  log,
  clock,
}: BackupPlatform): Promise<{ settled: number; failed: number }> => {
  const plans = await endedPlans(system, SETTLED_MAX)
  for (const plan of plans) await settlePlanned(db, plan.scope, plan.jobId, retryAtOf(plan, clock.nowMs()))
  const failed = plans.filter(({ state }) => state === "failed")
  for (const { scope, failures } of failed)
    log.error("a scheduled backup failed", { scope, failures: failures + 1 })
  return { settled: plans.length, failed: failed.length }
}

const retryAtOf = (plan: EndedPlan, nowMs: number) =>
  plan.state === "failed"
    ? instantOf(retryMs(plan.scope, everyHoursOf(plan), plan.failures + 1, nowMs))
    : null

const start = async ({ db, system }: BackupPlatform): Promise<number> => {
  const scopes = await scopesWithoutSchedule(system, STARTED_MAX)
  for (const scope of scopes) await startSchedule(db, scope)
  return scopes.length
}

/** `null`: somebody else planned it, or it has too many jobs open already. */
const plan = async (platform: BackupPlatform, due: DueBackup): Promise<Job | null> => {
  const { db, ids, clock } = platform
  const everyHours = everyHoursOf(due)
  const next = instantOf(nextDueMs(due.scope, everyHours, clock.nowMs()))
  const params: JsonObject = { backupId: ids.uuid(), origin: "scheduled", includeEmptyTables: true }
  try {
    return await createJob(
      platform,
      { owner: SCHEDULE_OWNER },
      { scope: due.scope, kind: "backup.create", params },
      { also: (tx, jobId) => markPlanned(tx, jobId, next) },
    )
  } catch (error) {
    if (error instanceof NotDue) return null
    platform.log.error("a backup could not be planned", { error, scope: due.scope })
    // One that cannot be planned stands in no other's way.
    await postpone(db, due.scope, instantOf(retryMs(due.scope, everyHours, 1, clock.nowMs())))
    return null
  }
}

/**
 * Makes jobs of the backups that are due, the longest waiting first, so many that no more than {@link OPEN_MAX} are open. However
 * many are due after an outage, they are made one batch after the other, each scope's once.
 */
export const planBackups = async (platform: BackupPlatform): Promise<JsonObject> => {
  const settled = await settle(platform)
  const started = await start(platform)
  const room = OPEN_MAX - (await countOpenJobs(platform.system, "backup.create"))
  let planned = 0
  if (room > 0)
    for (const due of await dueBackups(platform.system, room)) if (await plan(platform, due)) planned++
  return { ...settled, started, planned }
}
