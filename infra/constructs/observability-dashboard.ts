import { Duration } from "aws-cdk-lib"
import {
  type Alarm,
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  Stats,
} from "aws-cdk-lib/aws-cloudwatch"
import type { Construct } from "constructs"
import type { Handler } from "./handler.ts"
import {
  failedExecutions,
  failedShare,
  type Observed,
  ofCluster,
  refusedShare,
  told,
} from "./observability-metrics.ts"

const THIRD = 8
const ALL = 24
const HEIGHT = 6

const graph = (
  title: string,
  left: readonly IMetric[],
  label = "",
  right: readonly IMetric[] = [],
): IWidget =>
  new GraphWidget({
    title,
    left: [...left],
    right: [...right],
    leftYAxis: { min: 0, ...(label === "" ? {} : { label, showUnits: false }) },
    width: THIRD,
    height: HEIGHT,
  })

const ofEach = (
  handlers: Readonly<Record<string, Handler>>,
  metric: (handler: Handler, label: string) => IMetric,
): IMetric[] => Object.entries(handlers).map(([name, handler]) => metric(handler, name))

const PERIOD = { period: Duration.minutes(1) }
const TOTAL = { ...PERIOD, statistic: Stats.SUM }

const ofRequests = ({ doors }: Observed): IWidget[] => [
  graph(
    "Requests",
    ofEach(doors, ({ fn }, label) => fn.metric("UrlRequestCount", { ...TOTAL, label })),
    "a minute",
  ),
  graph(
    "Requests that failed",
    ofEach(doors, (handler, label) => refusedShare(label, handler)),
    "%",
  ),
  graph("How long an answer takes, p50 and p99", [
    ...ofEach(doors, ({ fn }, label) =>
      fn.metric("UrlRequestLatency", { ...PERIOD, statistic: Stats.p(50), label: `${label} p50` }),
    ),
    ...ofEach(doors, ({ fn }, label) =>
      fn.metric("UrlRequestLatency", { ...PERIOD, statistic: Stats.p(99), label: `${label} p99` }),
    ),
  ]),
]

const ofRuns = ({ doors, workers }: Observed): IWidget[] => [
  graph(
    "Runs that failed",
    ofEach(workers, (handler, label) => failedShare(label, handler)),
    "%",
  ),
  graph(
    "At once",
    ofEach({ ...doors, ...workers }, ({ fn }, label) =>
      fn.metric("ConcurrentExecutions", { ...PERIOD, statistic: Stats.MAXIMUM, label }),
    ),
  ),
  graph(
    "Found no room",
    ofEach({ ...doors, ...workers }, ({ fn }, label) => fn.metricThrottles({ ...TOTAL, label })),
  ),
]

const ofFreshness = ({ stage }: Observed): IWidget[] => {
  const figure = told(stage)
  return [
    graph("Oldest pointer served; beyond the bound", [figure("PointerAge")], "seconds", [
      figure("StalePointers", { statistic: Stats.SUM }),
    ]),
    graph("Waits to be published", [figure("OutboxAge")], "seconds", [figure("OutboxMarks")]),
    graph("Late: changes, messages", [figure("DueChangeAge"), figure("DueDeliveryAge")], "seconds"),
  ]
}

const ofRollouts = ({ stage, rollout: { machine }, rollout }: Observed): IWidget[] => {
  const figure = told(stage)
  return [
    graph("Paced changes", [machine.metricStarted(TOTAL), machine.metricSucceeded(TOTAL)]),
    graph("Rollouts that failed or were taken back", [
      failedExecutions(rollout),
      figure("RolloutsTakenBack", { statistic: Stats.SUM }),
    ]),
    graph("Messages given up within an hour", [figure("DeadDeliveries")]),
  ]
}

const ofBackups = ({ stage, queue }: Observed): IWidget[] => {
  const figure = told(stage)
  return [
    graph("Backups: overdue, failing, never made", [
      figure("BackupsOverdue"),
      figure("BackupsFailing"),
      figure("BackupsNever"),
    ]),
    graph("Age of backups and of drills", [figure("BackupAge"), figure("DrillAge")], "seconds"),
    graph("Jobs: waiting, given up, dead letters", [figure("JobsWaited")], "seconds", [
      figure("JobsDead"),
      queue.dead.metricApproximateNumberOfMessagesVisible(PERIOD),
    ]),
  ]
}

const ofDatabase = ({ cluster }: Observed): IWidget[] =>
  cluster === undefined
    ? []
    : [
        graph("Database: capacity used", [ofCluster(cluster, "ACUUtilization")], "%"),
        graph("Database: connections", [
          ofCluster(cluster, "DatabaseConnections", { statistic: Stats.MAXIMUM }),
        ]),
      ]

/** A stage on one page: the alarms, then what they are about, from the reader to the archives. */
export const dashboardOf = (scope: Construct, observed: Observed, alarms: readonly Alarm[]): Dashboard =>
  new Dashboard(scope, "Dashboard", {
    dashboardName: `Hotswap-${observed.stage}`,
    defaultInterval: Duration.hours(3),
    widgets: [
      [new AlarmStatusWidget({ title: "Alarms", alarms: [...alarms], width: ALL, height: HEIGHT })],
      ...[ofFreshness, ofRequests, ofRollouts, ofRuns, ofBackups, ofDatabase].map((row) => row(observed)),
    ],
  })
