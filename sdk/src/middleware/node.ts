import type { IncomingMessage, RequestListener, ServerResponse } from "node:http"
import { TenantContext } from "../context.ts"
import { answerWith, incomingOf, serveIn } from "./node-events.ts"
import { answerTo, TenantRefusal } from "./refusal.ts"
import { type Begun, begin, report, type TenantOptions } from "./serve.ts"

export type { RequestMetric, TenantOptions, TenantSource } from "./serve.ts"

export type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>

/**
 * For `createServer` of node:http: the handler runs in the tenant context of each request. One that throws is answered with 500, or
 * its answer is broken off, and `onError` is told.
 */
export const withTenant =
  (options: TenantOptions<IncomingMessage>, handler: Handler): RequestListener =>
  (request, response) => {
    begin(options, incomingOf(request)).then(
      (begun) => {
        if (begun.kind === "refused") answerWith(response, begun.answer)
        else
          serveIn(
            begun,
            request,
            response,
            () => null,
            () => run(options, begun, handler, request, response),
          )
      },
      (error: unknown) => fail(options, response, error, crypto.randomUUID()),
    )
  }

const run = (
  options: TenantOptions<IncomingMessage>,
  { context, finish }: Begun,
  handler: Handler,
  request: IncomingMessage,
  response: ServerResponse,
): void => {
  const failed = (error: unknown): void => {
    finish({ status: response.headersSent ? response.statusCode : 500, route: () => null, failed: true })
    fail(options, response, error, context.requestId)
  }
  try {
    Promise.resolve(TenantContext.run(context, () => handler(request, response))).catch(failed)
  } catch (error) {
    failed(error)
  }
}

const fail = (
  options: TenantOptions<IncomingMessage>,
  response: ServerResponse,
  error: unknown,
  instance: string,
): void => {
  report(options, error)
  if (response.headersSent) response.destroy()
  else
    answerWith(
      response,
      answerTo(new TenantRefusal("INTERNAL", "The request could not be served."), instance),
    )
}
