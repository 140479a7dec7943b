import { createHash, randomUUID } from "node:crypto"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { signatureFault } from "./aws-signature.ts"

// As much of AWS SQS as is asked of it, after its API reference: the JSON protocol, with signatures and limits held to.

const CREDENTIALS = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "of-a-test", sessionToken: "a-session" }
const QUEUE_URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/hotswap-jobs"
const DELAY_MAX_SECONDS = 900
const BODY_BYTES_MAX = 262_144
const MEMBERS = ["QueueUrl", "MessageBody", "DelaySeconds"]

class Fault extends Error {
  readonly status: number

  constructor(name: string, status = 400) {
    super(name)
    this.status = status
  }
}

export interface SqsMessage {
  body: string
  delaySeconds: number
}

export const startSqs = async () => {
  const messages: SqsMessage[] = []
  /** Answered with before anything else, first come, first served. `cut`: the connection ends without an answer. */
  const failing: ({ status: number; name: string } | "cut")[] = []
  let asked = 0

  const answer = async (request: IncomingMessage): Promise<object> => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    const body = Buffer.concat(pieces)
    asked++
    const { method = "", url = "", headers } = request
    const fault = signatureFault({ method, target: url, headers, body }, CREDENTIALS, Date.now())
    if (fault) throw new Fault(fault, 403)
    if (!headers.authorization?.includes("/eu-central-1/sqs/")) throw new Fault("SignatureDoesNotMatch", 403)
    const failure = failing.shift()
    if (failure === "cut") {
      request.socket.destroy()
      throw new Fault("cut")
    }
    if (failure) throw new Fault(failure.name, failure.status)
    if (method !== "POST" || url !== "/") throw new Fault("UnknownOperationException", 404)
    if (headers["content-type"] !== "application/x-amz-json-1.0")
      throw new Fault("UnknownOperationException", 404)
    if (headers["x-amz-target"] !== "AmazonSQS.SendMessage") throw new Fault("UnknownOperationException", 404)
    return send(JSON.parse(body.toString()) as Record<string, unknown>)
  }

  const send = (input: Record<string, unknown>): object => {
    if (Object.keys(input).some((name) => !MEMBERS.includes(name))) throw new Fault("SerializationException")
    const { QueueUrl: queueUrl, MessageBody: text, DelaySeconds: delay = 0 } = input
    if (queueUrl !== QUEUE_URL) throw new Fault("com.amazonaws.sqs#QueueDoesNotExist")
    if (typeof text !== "string" || text === "") throw new Fault("com.amazonaws.sqs#InvalidMessageContents")
    if (Buffer.byteLength(text) > BODY_BYTES_MAX) throw new Fault("com.amazonaws.sqs#InvalidMessageContents")
    if (!Number.isInteger(delay) || Number(delay) < 0 || Number(delay) > DELAY_MAX_SECONDS)
      throw new Fault("com.amazonaws.sqs#InvalidParameterValue")
    messages.push({ body: text, delaySeconds: Number(delay) })
    return { MessageId: randomUUID(), MD5OfMessageBody: createHash("md5").update(text).digest("hex") }
  }

  const server = createServer((request, response) => {
    const say = (status: number, document: object) =>
      response
        .writeHead(status, { "content-type": "application/x-amz-json-1.0" })
        .end(JSON.stringify(document))
    answer(request).then(
      (document) => say(200, document),
      (error: Error) =>
        say(error instanceof Fault ? error.status : 500, { __type: error.message, message: "" }),
    )
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    queueUrl: QUEUE_URL,
    messages,
    failing,
    asked: () => asked,
    variables: {
      AWS_REGION: "eu-central-1",
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_SESSION_TOKEN: CREDENTIALS.sessionToken,
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
