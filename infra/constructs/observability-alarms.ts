import { Duration } from "aws-cdk-lib"
import { ComparisonOperator, type IMetric, Stats, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch"
import {
  failedExecutions,
  failedShare,
  type Observed,
  ofCluster,
  refusedShare,
  told,
} from "./observability-metrics.ts"

/** What somebody is told of. */
export interface Watch {
  id: string
  /** Where `docs/alarms.md` says what to do; `id` where it is left out. */
  help?: string
  says: string
  metric: IMetric
  /** More than this is too much; with `isFloor`, less. */
  limit: number
  isFloor?: boolean
  /** So many periods of the metric… */
  periods?: number
  /** …of the last so many. */
  of?: number
  /** What it means that nothing is told; `ok` where it is left out. */
  silence?: "ok" | "alarm"
}

const HOUR = Duration.hours(1)
const HOUR_SECONDS = 3_600
const DAY_SECONDS = 24 * HOUR_SECONDS

export const COMPARISONS = {
  above: ComparisonOperator.GREATER_THAN_THRESHOLD,
  below: ComparisonOperator.LESS_THAN_THRESHOLD,
}
export const SILENCE = { ok: TreatMissingData.NOT_BREACHING, alarm: TreatMissingData.BREACHING }

const ofFunctions = ({ doors, workers }: Observed): Watch[] => [
  ...Object.entries(doors).map(([name, handler]) => ({
    id: `${name}-errors`,
    help: "errors",
    says: `More than 1 % of the requests to ${name} are answered by 5xx.`,
    metric: refusedShare(name, handler),
    limit: 1,
  })),
  ...Object.entries(workers).map(([name, handler]) => ({
    id: `${name}-errors`,
    help: "errors",
    says: `More than 10 % of the runs of ${name} fail.`,
    metric: failedShare(name, handler),
    limit: 10,
  })),
  ...Object.entries({ ...doors, ...workers }).map(([name, { fn }]) => ({
    id: `${name}-throttles`,
    help: "throttles",
    says: `Calls of ${name} find no room.`,
    metric: fn.metricThrottles({ period: Duration.minutes(1) }),
    limit: 0,
    periods: 3,
    of: 5,
  })),
  ...Object.entries(workers).map(([name, { fn }]) => ({
    id: `${name}-stopped`,
    help: "stopped",
    says: `${name} was not called for 5 minutes.`,
    metric: fn.metricInvocations({ period: Duration.minutes(5) }),
    limit: 1,
    isFloor: true,
    silence: "alarm" as const,
  })),
]

/** From the commit to the reader. */
const ofFreshness = ({ stage }: Observed): Watch[] => {
  const figure = told(stage)
  return [
    {
      id: "pointer-age",
      says: "Readers are served pointers that are older than 15 seconds, the bound.",
      metric: figure("PointerAge"),
      limit: 15,
      periods: 3,
      of: 5,
    },
    {
      id: "outbox-age",
      says: "What was committed has waited for longer than 30 seconds to be published, or nobody looks.",
      metric: figure("OutboxAge"),
      limit: 30,
      periods: 3,
      of: 5,
      silence: "alarm",
    },
  ]
}

const ofRollouts = ({ stage, rollout }: Observed): Watch[] => {
  const figure = told(stage)
  return [
    {
      id: "rollouts-failed",
      says: "A state machine gave up on the change it paced.",
      metric: failedExecutions(rollout),
      limit: 0,
    },
    {
      id: "rollouts-taken-back",
      says: "More than 3 rollouts within an hour were taken back by the gate, a signal or a failure.",
      metric: figure("RolloutsTakenBack", { statistic: Stats.SUM, period: HOUR }),
      limit: 3,
    },
    {
      id: "changes-late",
      says: "A change is due for longer than 2 minutes, and nobody has moved it.",
      metric: figure("DueChangeAge"),
      limit: 120,
      periods: 3,
    },
  ]
}

const ofMessages = ({ stage }: Observed): Watch[] => {
  const figure = told(stage)
  return [
    {
      id: "messages-late",
      says: "A message is due for longer than 15 minutes.",
      metric: figure("DueDeliveryAge"),
      limit: 900,
      periods: 3,
    },
    {
      id: "messages-dead",
      says: "More than 100 messages were given up within an hour.",
      metric: figure("DeadDeliveries"),
      limit: 100,
    },
  ]
}

const ofDatabase = ({ cluster }: Observed): Watch[] =>
  cluster === undefined
    ? []
    : [
        {
          id: "database-capacity",
          says: "The database has used more than 90 % of the capacity it may grow to for 15 minutes.",
          metric: ofCluster(cluster, "ACUUtilization"),
          limit: 90,
          periods: 3,
        },
      ]

/** The limits are those of `docs/backup.md`. */
const ofBackups = ({ stage, queue }: Observed): Watch[] => {
  const figure = told(stage)
  const lasting = (id: string, says: string, name: string, limit: number, hours: number): Watch => ({
    id,
    says,
    // All hour long.
    metric: figure(name, { statistic: Stats.MINIMUM, period: HOUR }),
    limit,
    periods: hours,
  })
  return [
    {
      id: "dead-letters",
      says: "Something that jobs are woken by has failed five times.",
      metric: queue.dead.metricApproximateNumberOfMessagesVisible({ period: Duration.minutes(5) }),
      limit: 0,
    },
    { id: "jobs-dead", says: "A job was given up.", metric: figure("JobsDead"), limit: 0 },
    {
      id: "jobs-late",
      says: "A job waits for longer than 15 minutes to be begun.",
      metric: figure("JobsWaited"),
      limit: 900,
      periods: 3,
    },
    lasting("backups-overdue", "A backup is overdue for an hour.", "BackupsOverdue", 0, 1),
    lasting("backups-failing", "Scheduled backups fail for an hour.", "BackupsFailing", 0, 1),
    lasting("backups-never", "A scope is without a backup for a day.", "BackupsNever", 0, 24),
    lasting(
      "backup-age",
      "The latest backup of some scope is older than two days.",
      "BackupAge",
      2 * DAY_SECONDS,
      1,
    ),
    {
      // As they are daily, their age is never above this all day long; what was never tried has none that could be told.
      ...lasting(
        "drill-age",
        "No archive was restored for trial for two days, or ever.",
        "DrillAge",
        23 * HOUR_SECONDS,
        24,
      ),
      silence: "alarm",
    },
  ]
}

export const watchesOf = (observed: Observed): readonly Watch[] =>
  [ofFunctions, ofFreshness, ofRollouts, ofMessages, ofBackups, ofDatabase].flatMap((watches) =>
    watches(observed),
  )
