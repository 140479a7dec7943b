import { randomUUID } from "node:crypto"
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { buffer } from "node:stream/consumers"
import type { FunctionUrlEvent, FunctionUrlResult } from "../../../functions/http/events.ts"
import { requestTime } from "../../../local/function-event.ts"
import { rulesOf, signatureFault } from "../aws-signature.ts"
import type { Invoked, Lambda } from "./lambda.ts"

// A function's URL, after "Creating and managing Lambda function URLs" and "Control access to Lambda function URLs"
// (https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html).

/** Whom a URL with `AWS_IAM` lets in. */
export interface LetIn {
  accessKeyId: string
  secretAccessKey: string
}

interface Options {
  lambda: Pick<Lambda, "invoke">
  region: string
  /** `null`: anybody, as where a URL has no authorisation. */
  onlyFor: LetIn | null
  /** Does the function see the header that the signature was in? AWS does not say. */
  showsSignature: boolean
}

export interface FunctionUrl {
  url: string
  /** What the function was invoked with, oldest first. */
  events: FunctionUrlEvent[]
  /** What was turned away before the function, by the reason. */
  refused: string[]
  close(): Promise<void>
}

const ACCOUNT = "123456789012"
const TEXT = /^\s*(?:text\/|application\/(?:json|javascript|xml)\b|[^;]*\+(?:json|xml)\b)/i
const OF_THE_CONNECTION = ["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"]
/** What only AWS says in an answer: a function that does is found under another name. */
const REMAPPED = ["connection", "date", "server", "www-authenticate"]

const iamOf = ({ accessKeyId }: LetIn) => ({
  iam: {
    accessKey: accessKeyId,
    accountId: ACCOUNT,
    callerId: "AIDAEXAMPLE",
    cognitoIdentity: null,
    principalOrgId: null,
    userArn: `arn:aws:iam::${ACCOUNT}:user/edge`,
    userId: "AIDAEXAMPLE",
  },
})

/** Names in lower case, repeated ones joined, with what AWS says of the connection in place of what a caller does. */
const headersOf = (request: IncomingMessage, showsSignature: boolean): Record<string, string> => {
  const headers = Object.entries(request.headersDistinct).map(([name, values = []]) => [
    name,
    values.join(","),
  ])
  const hidden = showsSignature ? OF_THE_CONNECTION : [...OF_THE_CONNECTION, "authorization"]
  return {
    ...Object.fromEntries(headers.filter(([name]) => !hidden.includes(name!))),
    "x-amzn-trace-id": `Root=1-${randomUUID().replaceAll("-", "")}`,
    "x-forwarded-for": request.socket.remoteAddress ?? "",
    "x-forwarded-port": "443",
    "x-forwarded-proto": "https",
  }
}

const eventOf = (
  request: IncomingMessage,
  body: Buffer,
  { onlyFor, showsSignature }: Options,
): FunctionUrlEvent => {
  const { method = "", url = "", headers, socket } = request
  const [rawPath = "/", ...query] = url.split("?")
  const isText = TEXT.test(headers["content-type"] ?? "")
  const now = Date.now()
  const event = {
    version: "2.0",
    routeKey: "$default",
    rawPath,
    rawQueryString: query.join("?"),
    headers: headersOf(request, onlyFor === null || showsSignature),
    requestContext: {
      accountId: onlyFor === null ? "anonymous" : ACCOUNT,
      apiId: "a-function",
      authentication: null,
      ...(onlyFor === null ? {} : { authorizer: iamOf(onlyFor) }),
      domainName: headers.host,
      domainPrefix: "a-function",
      http: {
        method,
        path: rawPath,
        protocol: "HTTP/1.1",
        sourceIp: socket.remoteAddress,
        userAgent: headers["user-agent"],
      },
      requestId: randomUUID(),
      routeKey: "$default",
      stage: "$default",
      time: requestTime(now),
      timeEpoch: now,
    },
    ...(body.length === 0 ? {} : { body: body.toString(isText ? "utf8" : "base64") }),
    isBase64Encoded: body.length > 0 && !isText,
  }
  return event as unknown as FunctionUrlEvent
}

interface Answer {
  status: number
  headers: Record<string, string>
  body: Buffer
}

const failed = (status: number, type: string, message: string): Answer => ({
  status,
  headers: { "content-type": "application/json", "x-amzn-errortype": type },
  body: Buffer.from(JSON.stringify({ Message: message })),
})

const answerOf = (invoked: Invoked): Answer => {
  switch (invoked.kind) {
    case "streamed":
      return invoked
    case "answered": {
      const { statusCode, headers, body, isBase64Encoded } = invoked.payload as FunctionUrlResult
      return { status: statusCode, headers, body: Buffer.from(body, isBase64Encoded ? "base64" : "utf8") }
    }
    case "failed":
      return failed(502, invoked.errorType, "Internal Server Error")
    case "timed out":
      return failed(504, "GatewayTimeout", "Gateway Timeout")
  }
}

const send = (
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: Answer,
): void => {
  const sent: OutgoingHttpHeaders = { "x-amzn-requestid": randomUUID() }
  for (const [name, value] of Object.entries(headers))
    sent[REMAPPED.includes(name.toLowerCase()) ? `x-amzn-remapped-${name}` : name] = value
  response.writeHead(status, sent).end(request.method === "HEAD" ? undefined : body)
}

/** Plays the URL of one function: looks at signatures, makes events of requests and HTTP of what comes of them. */
export const startFunctionUrl = async (options: Options): Promise<FunctionUrl> => {
  const { lambda, region, onlyFor } = options
  const rules = rulesOf("lambda", region)
  const events: FunctionUrlEvent[] = []
  const refused: string[] = []

  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const { method = "", url: target = "", headers } = request
    const body = await buffer(request)
    const fault = onlyFor && signatureFault({ method, target, headers, body }, onlyFor, Date.now(), rules)
    if (fault !== null) {
      refused.push(fault)
      return failed(403, fault === "AccessDenied" ? "AccessDeniedException" : fault, "Forbidden")
    }
    const event = eventOf(request, body, options)
    events.push(event)
    return answerOf(await lambda.invoke(event))
  }

  const server = createServer((request, response) => {
    answer(request).then(
      (answered) => send(request, response, answered),
      () => response.destroy(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    events,
    refused,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
