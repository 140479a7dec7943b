import { readFileSync } from "node:fs"
import { App } from "aws-cdk-lib"
import { Match, Template } from "aws-cdk-lib/assertions"
import { describe, expect, test } from "vitest"
import { stalenessOf } from "../../core/release/pointer-document.ts"
import { systemClock } from "../../functions/platform/clock.ts"
import { METRIC_UNITS, metricsOf } from "../../functions/platform/metric-log.ts"
import { SETTINGS, STAGES, type Stage, type StageSettings } from "../../infra/settings.ts"
import { DataStack } from "../../infra/stacks/data.ts"
import { ServiceStack } from "../../infra/stacks/service.ts"

const templateOf = (settings: StageSettings): Template =>
  Template.fromStack(new ServiceStack(new App({ context: { "aws:cdk:bundling-stacks": [] } }), settings))

interface Named {
  Namespace: string
  MetricName: string
  Dimensions: { Name: string; Value: unknown }[]
}
interface Alarm extends Named {
  AlarmName: string
  AlarmDescription: string
  AlarmActions: unknown[]
  OKActions: unknown[]
  Period?: number
  EvaluationPeriods: number
  DatapointsToAlarm: number
  Threshold: number
  ComparisonOperator: string
  TreatMissingData: string
  Metrics?: { Expression?: string; MetricStat?: { Metric: Named; Period: number } }[]
}

const propertiesOf = <Properties>(template: Template, type: string): Properties[] =>
  Object.values(template.findResources(type)).map(({ Properties }) => Properties)

const metricsIn = (alarm: Alarm): Named[] =>
  alarm.Metrics?.flatMap(({ MetricStat }) => (MetricStat ? [MetricStat.Metric] : [])) ?? [alarm]

/** `Hotswap-prod-outbox-age` as `outbox-age`. */
const idOf = (stage: Stage, { AlarmName }: Alarm): string => AlarmName.slice(`Hotswap-${stage}-`.length)

/** The text that CloudWatch is given, with `…` for what only AWS knows. */
const dashboardOf = (template: Template): string => {
  const [{ DashboardBody } = { DashboardBody: {} }] = propertiesOf<{ DashboardBody: object }>(
    template,
    "AWS::CloudWatch::Dashboard",
  )
  const parts: unknown[] = "Fn::Join" in DashboardBody ? (DashboardBody["Fn::Join"] as [string, []])[1] : []
  return parts.map((part) => (typeof part === "string" ? part : "…")).join("")
}

describe.each(STAGES)("the %s stage", (stage) => {
  const template = templateOf(SETTINGS[stage])
  const alarms = propertiesOf<Alarm>(template, "AWS::CloudWatch::Alarm")
  const alarm = (id: string): Alarm => alarms.find((one) => idOf(stage, one) === id)!

  test("tells of each alarm when it goes off and when it is over, by one topic", () => {
    const [topic] = Object.keys(template.findResources("AWS::SNS::Topic"))
    for (const one of alarms)
      expect(one, one.AlarmName).toMatchObject({
        AlarmActions: [{ Ref: topic }],
        OKActions: [{ Ref: topic }],
      })
  })

  test("encrypts what it tells, and lets nobody but CloudWatch put anything there, for this account and over TLS", () => {
    const ownAccount = { StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } } }
    const cloudWatch = { Service: "cloudwatch.amazonaws.com" }
    template.allResourcesProperties("AWS::SNS::Topic", {
      KmsMasterKeyId: { "Fn::GetAtt": [Match.stringLikeRegexp("^Key"), "Arn"] },
    })
    template.hasResourceProperties("AWS::SNS::TopicPolicy", {
      PolicyDocument: {
        Statement: [
          Match.objectLike({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } }),
          Match.objectLike({ Action: "sns:Publish", Principal: cloudWatch, Condition: ownAccount }),
        ],
      },
    })
    template.hasResourceProperties("AWS::KMS::Key", {
      KeyPolicy: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Action: ["kms:Decrypt", "kms:GenerateDataKey*"],
            Principal: cloudWatch,
            Condition: ownAccount,
          }),
        ]),
      },
    })
  })

  test("watches each function's failures and throttles; of those that are called by the clock, that they are", () => {
    const functions = Object.keys(template.findResources("AWS::Lambda::Function"))
      .map((id) => id.replace(/Function.*/, "").toLowerCase())
      // Called by the deployment, which fails with it.
      .filter((name) => name !== "migrate")
    const of = (suffix: string) =>
      alarms
        .map((one) => idOf(stage, one))
        .filter((id) => id.endsWith(suffix))
        .map((id) => id.slice(0, -suffix.length))
    expect(of("-errors").sort()).toEqual(functions.toSorted())
    expect(of("-throttles").sort()).toEqual(functions.toSorted())
    expect(of("-stopped")).toEqual(["advance", "relay", "notify", "backup", "router"])
    for (const name of of("-stopped"))
      expect(alarm(`${name}-stopped`)).toMatchObject({
        MetricName: "Invocations",
        ComparisonOperator: "LessThanThreshold",
        TreatMissingData: "breaching",
      })
  })

  test("takes a share of errors only of enough requests, of the function that is named", () => {
    for (const [name, errors, all] of [
      ["read", "Url5xxCount", "UrlRequestCount"],
      ["manage", "Url5xxCount", "UrlRequestCount"],
      ["outcomes", "Url5xxCount", "UrlRequestCount"],
      ["relay", "Errors", "Invocations"],
    ] as const) {
      const one = alarm(`${name}-errors`)
      expect(one.Metrics![0]!.Expression).toMatch(
        new RegExp(`^IF\\(${name}All >= \\d+, 100 \\* FILL\\(${name}Failed, 0\\) / ${name}All, 0\\)$`),
      )
      const logicalId = expect.stringMatching(new RegExp(`^${name}Function`, "i"))
      const dimensions = [{ Name: "FunctionName", Value: { Ref: logicalId } }]
      expect(metricsIn(one).map(({ MetricName }) => MetricName)).toEqual([errors, all])
      for (const metric of metricsIn(one)) expect(metric.Dimensions).toEqual(dimensions)
    }
  })

  test("goes off when readers are served what is older than the bound, and when nobody publishes", () => {
    expect(alarm("pointer-age")).toMatchObject({
      MetricName: "PointerAge",
      Threshold: stalenessOf({ moving: false }).staleMs / 1_000,
      TreatMissingData: "notBreaching",
    })
    expect(alarm("outbox-age")).toMatchObject({
      MetricName: "OutboxAge",
      Threshold: 30,
      TreatMissingData: "breaching",
    })
  })

  test("goes off at the first dead letter, of the queue that letters of jobs die in", () => {
    const [redrive] = propertiesOf<{ RedrivePolicy?: { deadLetterTargetArn: { "Fn::GetAtt": string[] } } }>(
      template,
      "AWS::SQS::Queue",
    ).flatMap(({ RedrivePolicy }) => RedrivePolicy ?? [])
    const dead = redrive!.deadLetterTargetArn["Fn::GetAtt"][0]
    expect(alarm("dead-letters")).toMatchObject({
      MetricName: "ApproximateNumberOfMessagesVisible",
      Dimensions: [{ Name: "QueueName", Value: { "Fn::GetAtt": [dead, "QueueName"] } }],
      Threshold: 0,
    })
  })

  test("goes off when a state machine gives up on a change, or runs out of time", () => {
    const machine = Object.keys(template.findResources("AWS::StepFunctions::StateMachine"))[0]
    const one = alarm("rollouts-failed")
    expect(one.Threshold).toBe(0)
    expect(metricsIn(one)).toMatchObject(
      ["ExecutionsFailed", "ExecutionsTimedOut"].map((MetricName) => ({
        Namespace: "AWS/States",
        MetricName,
        Dimensions: [{ Name: "StateMachineArn", Value: { Ref: machine } }],
      })),
    )
  })

  test("goes off when backups or their trials are older than two days, and where none was ever tried", () => {
    expect(alarm("backup-age")).toMatchObject({ MetricName: "BackupAge", Threshold: 2 * 86_400 })
    const drill = alarm("drill-age")
    expect(drill).toMatchObject({ MetricName: "DrillAge", Period: 3_600, TreatMissingData: "breaching" })
    expect(drill.DatapointsToAlarm).toBe(drill.EvaluationPeriods)
    const oldest = drill.Threshold! + drill.EvaluationPeriods * 3_600
    expect(oldest).toBeLessThanOrEqual(2 * 86_400)
    // One that runs each day is never that old for so long.
    expect(oldest).toBeGreaterThan(86_400 + 3_600)
  })

  test("goes off when the database has little left to grow, where the stage has one of its own", () => {
    const { database } = SETTINGS[stage]
    if (database.kind !== "aurora") return expect(alarm("database-capacity")).toBeUndefined()
    const data = Template.fromStack(new DataStack(new App(), SETTINGS[stage], database))
    const [cluster] = propertiesOf<{ DBClusterIdentifier: string }>(data, "AWS::RDS::DBCluster")
    expect(alarm("database-capacity")).toMatchObject({
      Namespace: "AWS/RDS",
      MetricName: "ACUUtilization",
      Dimensions: [{ Name: "DBClusterIdentifier", Value: cluster!.DBClusterIdentifier }],
      Threshold: 90,
    })
  })

  test("looks for the figures that the functions tell, under the names they tell them by, and shows them all", () => {
    const [{ Environment } = { Environment: { Variables: {} } }] = propertiesOf<{
      Environment: { Variables: Record<string, unknown> }
    }>(template, "AWS::Lambda::Function")
    const lines: string[] = []
    const variables = { HOTSWAP_STAGE: String(Environment.Variables.HOTSWAP_STAGE) }
    metricsOf(variables, systemClock, (line) => lines.push(line))!.tell({ OutboxAge: 1 })
    const { _aws, Stage: told } = JSON.parse(lines[0]!)
    const [{ Namespace, Dimensions }] = _aws.CloudWatchMetrics
    expect(told).toBe(stage)
    const own = alarms.flatMap(metricsIn).filter((metric) => !metric.Namespace.startsWith("AWS/"))
    for (const metric of own) {
      expect(Object.keys(METRIC_UNITS)).toContain(metric.MetricName)
      expect(metric.Namespace).toBe(Namespace)
      expect(metric.Dimensions).toEqual([{ Name: Dimensions[0][0], Value: told }])
    }
    const dashboard = dashboardOf(template)
    for (const name of Object.keys(METRIC_UNITS))
      expect(dashboard).toContain(`["${Namespace}","${name}","${Dimensions[0][0]}","${told}"`)
  })

  test("tells every function which stage it is", () => {
    template.allResourcesProperties("AWS::Lambda::Function", {
      Environment: { Variables: { HOTSWAP_STAGE: stage } },
    })
  })

  test("asks for no longer time than CloudWatch looks back", () => {
    for (const one of alarms) {
      const periods = one.Metrics?.flatMap(({ MetricStat }) => MetricStat?.Period ?? []) ?? [one.Period!]
      expect(new Set(periods).size, one.AlarmName).toBe(1)
      const lookedAtSeconds = periods[0]! * one.EvaluationPeriods
      expect(lookedAtSeconds, one.AlarmName).toBeLessThanOrEqual(86_400)
      expect(one.DatapointsToAlarm).toBeLessThanOrEqual(one.EvaluationPeriods)
    }
  })

  test("has a page that shows each alarm, as text that CloudWatch takes", () => {
    const { widgets } = JSON.parse(dashboardOf(template))
    expect(widgets[0].properties.alarms).toHaveLength(alarms.length)
    for (const { x, width } of widgets) expect(x + width).toBeLessThanOrEqual(24)
  })
})

test("who is named in the settings is told by mail", () => {
  const template = templateOf({ ...SETTINGS.dev, alarmMails: ["on-call@example.com"] })
  template.resourceCountIs("AWS::SNS::Subscription", 1)
  template.hasResourceProperties("AWS::SNS::Subscription", {
    Protocol: "email",
    Endpoint: "on-call@example.com",
  })
})

test("docs/alarms.md says of each alarm what to do, and of none that there is not", () => {
  const page = readFileSync("docs/alarms.md", "utf8")
  const told = [...page.matchAll(/^### (\S+)$/gm)].map(([, id]) => id)
  const alarms = propertiesOf<Alarm>(templateOf(SETTINGS.prod), "AWS::CloudWatch::Alarm")
  const asked = alarms.map(({ AlarmDescription }) => /docs\/alarms\.md#(\S+)$/.exec(AlarmDescription)?.[1])
  expect(told.toSorted()).toEqual([...new Set(asked)].sort())
})

test("docs/alarms.md names each figure with its unit", () => {
  const page = readFileSync("docs/alarms.md", "utf8")
  for (const [name, unit] of Object.entries(METRIC_UNITS))
    expect(page).toMatch(new RegExp(`^\\| \`${name}\` \\| ${unit.toLowerCase()} \\|`, "m"))
})
