import { Duration } from "aws-cdk-lib"
import { PolicyStatement } from "aws-cdk-lib/aws-iam"
import { SqsEventSource } from "aws-cdk-lib/aws-lambda-event-sources"
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs"
import { Construct } from "constructs"
import type { StageSettings } from "../settings.ts"
import type { Handler } from "./handler.ts"

const SPARE_SECONDS = 60
/** What fails so often is looked at by somebody; the job itself stands in the database. */
const RECEIVES_MAX = 5

interface BackupQueueProps {
  settings: StageSettings
}

/** Wakes whoever does jobs, so many at once as the database has room for. Messages hold a job's id and nothing else. */
export class BackupQueue extends Construct {
  readonly queue: Queue
  /** What has failed too often. */
  readonly dead: Queue
  readonly #settings: StageSettings

  constructor(scope: Construct, id: string, { settings }: BackupQueueProps) {
    super(scope, id)
    this.#settings = settings
    const common = { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true }
    this.dead = new Queue(this, "Dead", { ...common, retentionPeriod: Duration.days(14) })
    this.queue = new Queue(this, "Queue", {
      ...common,
      // A message that is being worked on is shown to nobody else.
      visibilityTimeout: Duration.seconds(settings.functions.backup.timeoutSeconds + SPARE_SECONDS),
      retentionPeriod: Duration.days(4),
      deadLetterQueue: { queue: this.dead, maxReceiveCount: RECEIVES_MAX },
    })
  }

  wakes({ fn }: Handler): void {
    fn.addEventSource(
      new SqsEventSource(this.queue, {
        batchSize: 1,
        maxConcurrency: this.#settings.backups.workersMax,
        reportBatchItemFailures: true,
      }),
    )
  }

  mayBeToldBy({ fn }: Handler): void {
    fn.addToRolePolicy(
      new PolicyStatement({ actions: ["sqs:SendMessage"], resources: [this.queue.queueArn] }),
    )
  }
}
