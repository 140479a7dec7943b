import { Duration } from "aws-cdk-lib"
import { type IMetric, MathExpression, Metric, Stats } from "aws-cdk-lib/aws-cloudwatch"
import type { Stage } from "../settings.ts"
import type { BackupQueue } from "./backup-queue.ts"
import type { Handler } from "./handler.ts"
import type { Rollout } from "./rollout.ts"

/** What is looked at: everything of one stage that can go wrong by itself. */
export interface Observed {
  stage: Stage
  /** Functions that answer requests, by what they are called. */
  doors: Readonly<Record<string, Handler>>
  /** Functions that do what events bid them; each is called at least once a minute. */
  workers: Readonly<Record<string, Handler>>
  rollout: Rollout
  queue: BackupQueue
  /** What the database's cluster is called, where the stage has one of its own. */
  cluster?: string
}

const MINUTE = Duration.minutes(1)
/** Of fewer requests one alone would be a great share. */
const REQUESTS_MIN = 20
const CALLS_MIN = 3

/** A figure that the functions tell of themselves: `functions/platform/metric-log.ts` has them all. */
export const told =
  (stage: Stage) =>
  (metricName: string, { statistic = Stats.MAXIMUM, period = MINUTE } = {}): Metric =>
    new Metric({
      namespace: "Hotswap",
      metricName,
      dimensionsMap: { Stage: stage },
      statistic,
      period,
    })

const share = (name: string, failed: IMetric, all: IMetric, allMin: number, period: Duration): IMetric =>
  new MathExpression({
    expression: `IF(${name}All >= ${allMin}, 100 * FILL(${name}Failed, 0) / ${name}All, 0)`,
    usingMetrics: { [`${name}Failed`]: failed, [`${name}All`]: all },
    label: name,
    period,
  })

/** Of the requests to a function's URL, percent that were answered by 5xx: what it said itself, and what it did not live to say. */
export const refusedShare = (name: string, { fn }: Handler): IMetric => {
  const of = { period: Duration.minutes(5), statistic: Stats.SUM }
  return share(name, fn.metric("Url5xxCount", of), fn.metric("UrlRequestCount", of), REQUESTS_MIN, of.period)
}

/** Of a function's runs, percent that failed or took too long. */
export const failedShare = (name: string, { fn }: Handler): IMetric => {
  const of = { period: Duration.minutes(15) }
  return share(name, fn.metricErrors(of), fn.metricInvocations(of), CALLS_MIN, of.period)
}

/** Of the database, as its whole cluster. */
export const ofCluster = (
  DBClusterIdentifier: string,
  metricName: string,
  { statistic = Stats.AVERAGE, period = Duration.minutes(5) } = {},
): Metric =>
  new Metric({ namespace: "AWS/RDS", metricName, dimensionsMap: { DBClusterIdentifier }, statistic, period })

/** State machines that ended without having brought their change to an end. */
export const failedExecutions = ({ machine }: Rollout): IMetric => {
  const of = { period: Duration.minutes(5), statistic: Stats.SUM }
  return new MathExpression({
    expression: "FILL(failed, 0) + FILL(late, 0)",
    usingMetrics: { failed: machine.metricFailed(of), late: machine.metricTimedOut(of) },
    label: "failed",
    period: of.period,
  })
}
