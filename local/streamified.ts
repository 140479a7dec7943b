import { PassThrough, type Writable } from "node:stream"
import type {
  FunctionUrlEvent,
  InvocationContext,
  StreamHandler,
  StreamResult,
} from "../functions/http/events.ts"

interface Head {
  statusCode?: number
  headers?: Record<string, string>
}
type StreamifiedHandler = (
  event: FunctionUrlEvent,
  response: Writable,
  context: InvocationContext,
) => Promise<void>

const heads = new WeakMap<Writable, (head: Head) => void>()

/**
 * What Lambda's Node runtime offers to functions that stream
 * (https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html): a handler writes to the stream
 * it is given, after `HttpResponseStream.from` has said with which status and headers.
 */
export const awslambda = {
  streamifyResponse: (handler: StreamifiedHandler): StreamHandler => {
    return (event, context) => begin(handler, event, context)
  },
  HttpResponseStream: {
    from: (response: Writable, head: Head): Writable => {
      heads.get(response)?.(head)
      return response
    },
  },
}

/** Resolves with the head as soon as it is known, which without one is at the first byte. */
const begin = (
  handler: StreamifiedHandler,
  event: FunctionUrlEvent,
  context: InvocationContext,
): Promise<StreamResult> =>
  new Promise((resolve, reject) => {
    const response = new PassThrough()
    // Whoever reads the body is told of its failure; before the head nobody reads it yet.
    response.on("error", () => undefined)
    const start = ({ statusCode = 200, headers = {} }: Head): void =>
      resolve({ statusCode, headers, body: response })
    heads.set(response, start)
    response.once("readable", () => start({ headers: { "content-type": "application/octet-stream" } }))
    handler(event, response, context).then(
      () => response.end(),
      (error: unknown) => {
        reject(error)
        response.destroy(error instanceof Error ? error : new Error(String(error)))
      },
    )
  })
