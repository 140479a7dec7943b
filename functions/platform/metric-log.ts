import type { Clock } from "./clock.ts"

/** Every figure that the functions tell of themselves, with what it is counted in. */
export const METRIC_UNITS = {
  /** How long the oldest move has waited to be published. */
  OutboxAge: "Seconds",
  OutboxMarks: "Count",
  /** By how much the change is late that is latest. */
  DueChangeAge: "Seconds",
  /** The like for messages that are to be tried again. */
  DueDeliveryAge: "Seconds",
  /** Messages given up within the last hour. */
  DeadDeliveries: "Count",
  /** Scopes without a complete backup for twice as long as their schedule says. */
  BackupsOverdue: "Count",
  /** Scopes whose last scheduled backups failed. */
  BackupsFailing: "Count",
  /** Scopes without a complete backup. */
  BackupsNever: "Count",
  /** Of the oldest among the scopes' latest backups. */
  BackupAge: "Seconds",
  /** Since archives were last restored for trial and found right. */
  DrillAge: "Seconds",
  /** Jobs that failed within the last day. */
  JobsDead: "Count",
  /** How long the longest due job has waited to be begun. */
  JobsWaited: "Seconds",
  /** Of the oldest pointer that was served, since PostgreSQL was read. */
  PointerAge: "Seconds",
  /** Pointers that were served older than the bound. */
  StalePointers: "Count",
  /** Rollouts that were taken back without anybody asking for it. */
  RolloutsTakenBack: "Count",
} as const satisfies Record<string, "Seconds" | "Count">
export type MetricName = keyof typeof METRIC_UNITS

/** `null`: not known, and not told. */
export type Figures = Readonly<Partial<Record<MetricName, number | null>>>

export interface Metrics {
  /** As of `atMs`, or now. */
  tell(figures: Figures, atMs?: number): void
}

const NAMESPACE = "Hotswap"

const isKnown = (entry: [string, number | null]): entry is [MetricName, number] => Number.isFinite(entry[1])

/**
 * Tells figures by writing lines to the log that CloudWatch makes metrics of, in its embedded metric format
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html). The
 * stage is their one dimension: tenants are none, as each value of one is a metric of its own.
 */
const metricLog = (stage: string, clock: Clock, write: (line: string) => void): Metrics => ({
  tell: (figures, atMs = clock.nowMs()) => {
    const known = Object.entries(figures).filter(isKnown)
    if (known.length === 0) return
    const directive = {
      Namespace: NAMESPACE,
      Dimensions: [["Stage"]],
      Metrics: known.map(([name]) => ({ Name: name, Unit: METRIC_UNITS[name] })),
    }
    const _aws = { Timestamp: atMs, CloudWatchMetrics: [directive] }
    write(JSON.stringify({ _aws, Stage: stage, ...Object.fromEntries(known) }))
  },
})

const toLog = (line: string): void => void process.stdout.write(`${line}\n`)

/** `undefined` where no stage is named: then there is nobody to make metrics of it. */
export const metricsOf = (
  variables: Readonly<Record<string, string | undefined>>,
  clock: Clock,
  write = toLog,
): Metrics | undefined =>
  variables.HOTSWAP_STAGE ? metricLog(variables.HOTSWAP_STAGE, clock, write) : undefined
