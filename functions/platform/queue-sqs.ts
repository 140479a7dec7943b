import { createHash } from "node:crypto"
import type { Clock } from "./clock.ts"
import { type AwsCredentials, signedHeaders } from "./keys/aws-request.ts"
import type { JobQueue } from "./queue.ts"

export interface SqsOptions {
  /** `https://sqs.{region}.amazonaws.com/{account}/{name}`. */
  queueUrl: string
  /** Where region and credentials stand, as Lambda sets them. */
  variables: Readonly<Record<string, string | undefined>>
  clock: Clock
  /** In the place of AWS's own. */
  endpoint?: string | undefined
}

const DEADLINE_MS = 2_000
const TRIES = 3
/** The longest that SQS keeps a message back; who is woken too early finds nothing that is due. */
const DELAY_MAX_SECONDS = 900
const TOO_MANY = 429

/**
 * SQS's JSON protocol
 * (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html).
 */
export const sqsQueue = ({ queueUrl, variables, clock, endpoint }: SqsOptions): JobQueue => {
  const region = variables.AWS_REGION ?? ""
  const url = endpoint ?? `https://sqs.${region}.amazonaws.com/`
  const credentials: AwsCredentials = {
    accessKeyId: variables.AWS_ACCESS_KEY_ID ?? "",
    secretAccessKey: variables.AWS_SECRET_ACCESS_KEY ?? "",
    sessionToken: variables.AWS_SESSION_TOKEN,
  }

  /** What SQS has against it; `null`: it took it. */
  const send = async (body: string): Promise<{ error: Error; isPassing: boolean } | null> => {
    const headers = {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": "AmazonSQS.SendMessage",
      "x-amz-content-sha256": createHash("sha256").update(body).digest("hex"),
    }
    const response = await fetch(url, {
      method: "POST",
      headers: signedHeaders({ url, service: "sqs", region, headers, body }, credentials, clock.now()),
      body,
      redirect: "error",
      signal: AbortSignal.timeout(DEADLINE_MS),
    })
    if (response.ok) {
      await response.body?.cancel()
      return null
    }
    const text = (await response.text()).slice(0, 500)
    const isPassing = response.status >= 500 || response.status === TOO_MANY || text.includes("Throttl")
    return { error: new Error(`SQS answered ${response.status}: ${text}`), isPassing }
  }

  return {
    wake: async (jobId, inMs = 0) => {
      const body = JSON.stringify({
        QueueUrl: queueUrl,
        MessageBody: JSON.stringify({ jobId }),
        DelaySeconds: Math.min(Math.ceil(Math.max(0, inMs) / 1_000), DELAY_MAX_SECONDS),
      })
      for (let tries = 1; ; tries++) {
        const refused = await send(body).catch((error: Error) => ({ error, isPassing: true }))
        if (refused === null) return
        if (!refused.isPassing || tries === TRIES) throw refused.error
      }
    },
  }
}

/** None where no queue is named. */
export const queueFor = (
  variables: SqsOptions["variables"],
  { backupQueueUrl }: { backupQueueUrl: string | null },
  clock: Clock,
): JobQueue | undefined =>
  backupQueueUrl === null ? undefined : sqsQueue({ queueUrl: backupQueueUrl, variables, clock })
