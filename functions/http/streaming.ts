import { Readable, type Writable } from "node:stream"
import { pipeline } from "node:stream/promises"
import type { FunctionUrlEvent, FunctionUrlHandler, FunctionUrlResult, InvocationContext } from "./events.ts"

/**
 * What Lambda's Node runtime puts into the global scope of a function
 * (https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html).
 */
export interface StreamingRuntime {
  streamifyResponse<Handler>(
    handler: (event: FunctionUrlEvent, response: Writable, context: InvocationContext) => Promise<void>,
  ): Handler
  HttpResponseStream: {
    from(response: Writable, head: Pick<FunctionUrlResult, "statusCode" | "headers">): Writable
  }
}

/** The runtime's own, where there is one. */
export const streamingRuntime = (): StreamingRuntime | undefined =>
  (globalThis as { awslambda?: StreamingRuntime }).awslambda

/**
 * A function whose answers may be larger than the 6 MB that Lambda buffers, and which goes on with `afterwards`
 * once its caller has the answer: the runtime freezes only when the handler is done.
 */
export const streamed = <Handler>(
  runtime: StreamingRuntime,
  answer: FunctionUrlHandler,
  afterwards: () => Promise<void>,
): Handler =>
  runtime.streamifyResponse<Handler>(async (event, response, context) => {
    const { statusCode, headers, body, pieces } = await answer(event, context)
    const stream = runtime.HttpResponseStream.from(response, { statusCode, headers })
    if (pieces) await pipeline(Readable.from(pieces), stream)
    else {
      // Even when it is empty: the runtime sends the head with the first write.
      stream.write(body)
      stream.end()
    }
    await afterwards()
  })
