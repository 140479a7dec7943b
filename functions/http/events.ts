/** The event a Lambda function URL delivers: payload format 2.0, the part of it that is used here. */
export interface FunctionUrlEvent {
  version: "2.0"
  routeKey: "$default"
  rawPath: string
  rawQueryString: string
  /** Names in lower case; repeated headers joined by a comma. */
  headers: Record<string, string | undefined>
  cookies?: string[]
  body?: string
  isBase64Encoded: boolean
  requestContext: {
    accountId: string
    apiId: string
    authentication?: null
    authorizer?: null
    domainName: string
    domainPrefix: string
    http: { method: string; path: string; protocol: string; sourceIp: string; userAgent: string }
    requestId: string
    routeKey: "$default"
    stage: "$default"
    time: string
    timeEpoch: number
  }
}

/** What a function answers when its URL buffers. */
export interface FunctionUrlResult {
  statusCode: number
  headers: Record<string, string>
  cookies?: string[]
  body: string
  isBase64Encoded: boolean
  /** In place of the body, by a function whose URL streams: what is made while it is sent. */
  pieces?: AsyncIterable<Uint8Array>
}

/** What a function answers when its URL streams: head first, then the pieces as they come. */
export interface StreamResult {
  statusCode: number
  headers: Record<string, string>
  body: AsyncIterable<Uint8Array>
}

/** What the runtime says about the invocation, the part of it that is used here. */
export interface InvocationContext {
  awsRequestId: string
  getRemainingTimeInMillis(): number
}

export type FunctionUrlHandler = (
  event: FunctionUrlEvent,
  context: InvocationContext,
) => Promise<FunctionUrlResult>
export type StreamHandler = (event: FunctionUrlEvent, context: InvocationContext) => Promise<StreamResult>
/** A function started by a schedule or by a state machine rather than by a request. */
export type TaskHandler<Input, Output> = (event: Input, context: InvocationContext) => Promise<Output>
