import { Stack } from "aws-cdk-lib"
import { Alarm } from "aws-cdk-lib/aws-cloudwatch"
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions"
import { ServicePrincipal } from "aws-cdk-lib/aws-iam"
import type { Key } from "aws-cdk-lib/aws-kms"
import { Topic } from "aws-cdk-lib/aws-sns"
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions"
import { Construct } from "constructs"
import type { StageSettings } from "../settings.ts"
import { clusterName } from "./aurora.ts"
import { COMPARISONS, SILENCE, type Watch, watchesOf } from "./observability-alarms.ts"
import { dashboardOf } from "./observability-dashboard.ts"
import type { Observed } from "./observability-metrics.ts"

interface ObservabilityProps extends Omit<Observed, "stage" | "cluster"> {
  settings: StageSettings
  /** Encrypts what is told. */
  key: Key
}

/** The alarms of a stage, whom they tell, and its page. */
export class Observability extends Construct {
  readonly topic: Topic

  constructor(scope: Construct, id: string, { settings, key, ...observed }: ObservabilityProps) {
    super(scope, id)
    const { stage, database } = settings
    this.topic = this.#topic(settings, key)
    const cluster = database.kind === "aurora" ? { cluster: clusterName(stage) } : {}
    const all = { stage, ...observed, ...cluster }
    const alarms = watchesOf(all).map((watch) => this.#alarm(stage, watch))
    dashboardOf(this, all, alarms)
  }

  /** Only CloudWatch, and only for this account, puts anything there. */
  #topic({ stage, alarmMails }: StageSettings, key: Key): Topic {
    const topic = new Topic(this, "Alarms", {
      displayName: `Hotswap ${stage}`,
      masterKey: key,
      enforceSSL: true,
    })
    const cloudWatch = new ServicePrincipal("cloudwatch.amazonaws.com", {
      conditions: { StringEquals: { "aws:SourceAccount": Stack.of(this).account } },
    })
    // Grants the use of the key, too.
    topic.grantPublish(cloudWatch)
    for (const mail of alarmMails) topic.addSubscription(new EmailSubscription(mail))
    return topic
  }

  #alarm(
    stage: string,
    { id, help = id, says, metric, limit, isFloor, periods = 1, of = periods, silence }: Watch,
  ): Alarm {
    const alarm = new Alarm(this, id, {
      alarmName: `Hotswap-${stage}-${id}`,
      alarmDescription: `${says} What to do: docs/alarms.md#${help}`,
      metric,
      threshold: limit,
      comparisonOperator: isFloor ? COMPARISONS.below : COMPARISONS.above,
      datapointsToAlarm: periods,
      evaluationPeriods: of,
      treatMissingData: SILENCE[silence ?? "ok"],
    })
    const tell = new SnsAction(this.topic)
    alarm.addAlarmAction(tell)
    alarm.addOkAction(tell)
    return alarm
  }
}
