import { schedulePeriods } from "../../core/backup/schedule.ts"
import type { Database } from "../../db/client.ts"
import { backupFigures, jobFigures } from "../../db/system-backups.ts"
import { lagFigures } from "../../db/system-figures.ts"
import type { Clock } from "../platform/clock.ts"
import type { Figures } from "../platform/metric-log.ts"

/** What the database knows of how everything goes, of all scopes together. */
export const readFigures = async (system: Database, clock: Clock): Promise<Figures> => {
  const lag = await lagFigures(system)
  const backups = await backupFigures(system, schedulePeriods())
  const jobs = await jobFigures(system)
  return {
    OutboxAge: lag.outboxAge,
    OutboxMarks: lag.marks,
    DueChangeAge: lag.dueChangeAge,
    DueDeliveryAge: lag.dueDeliveryAge,
    DeadDeliveries: lag.deadDeliveries,
    BackupsOverdue: backups.overdue,
    BackupsFailing: backups.failing,
    BackupsNever: backups.never,
    BackupAge: backups.oldestAgeSeconds,
    DrillAge: backups.lastDrillSeconds === null ? null : clock.nowMs() / 1_000 - backups.lastDrillSeconds,
    JobsDead: jobs.reduce((sum, { dead }) => sum + dead, 0),
    JobsWaited: Math.max(0, ...jobs.map(({ waitedSeconds }) => waitedSeconds)),
  }
}
