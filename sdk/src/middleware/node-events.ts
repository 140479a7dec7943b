import type { EventEmitter } from "node:events"
import type { IncomingMessage, ServerResponse } from "node:http"
import { TenantContext } from "../context.ts"
import type { RefusalAnswer } from "./refusal.ts"
import type { Incoming } from "./resolve.ts"
import type { Begun } from "./serve.ts"

export const incomingOf = <Raw extends IncomingMessage>(raw: Raw, url = raw.url ?? "/"): Incoming<Raw> => ({
  method: raw.method ?? "GET",
  path: url.split("?", 1)[0]!,
  header: (name) => {
    const value = raw.headers[name]
    return Array.isArray(value) ? value.join(", ") : value
  },
  raw,
})

/** An answer that is out already stands, whoever gave it; one that is on its way is broken off. */
export const answerWith = (response: ServerResponse, { status, headers, body }: RefusalAnswer): void => {
  if (response.writableEnded) return
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) }).end(body)
}

/**
 * Runs `work` in the context of its request, and whatever the request and the answer call back as well; says how it ended once the
 * answer is out, or the caller has left.
 */
export const serveIn = (
  { context, headers, finish }: Begun,
  request: IncomingMessage,
  response: ServerResponse,
  route: () => string | null,
  work: () => void,
): void => {
  // The caller has left, or somebody else has answered meanwhile.
  if (response.destroyed || response.writableEnded) {
    finish({ status: 0, route })
    return
  }
  const isFirst = TenantContext.find(request) === null
  TenantContext.attach(request, context)
  if (isFirst) {
    callBackIn(request, request)
    callBackIn(response, request)
  }
  if (!response.headersSent)
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  response.once("close", () =>
    finish({
      status: response.headersSent ? response.statusCode : 0,
      route,
      failed: hasBrokenOff(request, response),
    }),
  )
  TenantContext.run(context, work)
}

/** Did this side end the answer before its end? When a caller leaves, the connection ends or fails first. */
const hasBrokenOff = ({ socket }: IncomingMessage, response: ServerResponse): boolean =>
  !response.writableFinished && (response.errored !== null || !(socket.readableEnded || socket.errored))

/** Data, drain and close come from the connection, which knows no tenant. */
const callBackIn = (emitter: EventEmitter, request: IncomingMessage): void => {
  const { emit } = emitter
  emitter.emit = (...args) => TenantContext.run(TenantContext.get(request), () => emit.apply(emitter, args))
}
