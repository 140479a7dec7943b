import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Refusal } from "../core/errors.ts"
import type {
  FunctionUrlEvent,
  FunctionUrlResult,
  InvocationContext,
  StreamResult,
} from "../functions/http/events.ts"
import { type ProblemLog, problemReply } from "../functions/http/problem.ts"
import { createDeadlines, type Deadline, type Deadlines } from "./deadlines.ts"
import { invocationOf, splitTarget } from "./function-event.ts"

/** A function as it is deployed, and how long one call of it may take. */
export interface HostedFunction {
  handler: (event: FunctionUrlEvent, context: InvocationContext) => Promise<FunctionUrlResult | StreamResult>
  timeoutMs: number
  /** Its URL streams, so that an answer may be of any size. */
  streams?: true
}

export interface FunctionHostOptions {
  /** Which function answers, as function URLs of their own would decide it. */
  route: (method: string, path: string) => HostedFunction
  /** On 127.0.0.1, as what is in front of it is on this machine; 0 for any that is free. */
  port: number
  log: ProblemLog
}

export interface FunctionHost {
  url: string
  /** Takes no new requests, lets those under way end within `graceMs`, and cuts what is left. */
  stop(graceMs?: number): Promise<void>
}

/** Lambda takes no more in one invocation, and gives no more, unless the function streams. */
export const MAX_BODY_BYTES = 6 * 1024 * 1024
const KEEP_ALIVE_MS = 65_000
const GRACE_MS = 5_000
const IDLE_SWEEP_MS = 20
/** So long a body that is refused is still read, to nowhere. */
const DRAIN_MS = 5_000

/** Serves functions over HTTP as Lambda function URLs do: each request becomes an event, each result an answer. */
export const startFunctionHost = async (options: FunctionHostOptions): Promise<FunctionHost> => {
  const { route, log } = options
  const host: Host = { log, deadlines: createDeadlines() }
  let stopping = false
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    // Otherwise a client with one request after the other would never be done.
    if (stopping) response.shouldKeepAlive = false
    const target = splitTarget(request.url!)
    const hosted = route(request.method!, target[0])
    if (hasBody(request)) void invokeWithBody(hosted, request, response, target, host)
    else void invoke(hosted, request, response, target, null, host)
  })
  server.listen(options.port, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async (graceMs = GRACE_MS) => {
      stopping = true
      const closed = once(server, "close")
      server.close()
      // A connection that was busy is kept alive by its client once it is answered.
      const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS)
      const cut = setTimeout(() => server.closeAllConnections(), graceMs)
      await closed
      clearInterval(sweep)
      clearTimeout(cut)
      host.deadlines.stop()
    },
  }
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined ||
  (headers["content-length"] !== undefined && headers["content-length"] !== "0")

/** What all requests of one host share. */
interface Host {
  log: ProblemLog
  deadlines: Deadlines
}

const invokeWithBody = async (
  hosted: HostedFunction,
  request: IncomingMessage,
  response: ServerResponse,
  target: readonly [string, string],
  host: Host,
): Promise<void> => {
  let body: Buffer
  try {
    body = await readBody(request)
  } catch (error) {
    if (!(error instanceof Refusal)) {
      // The client has gone in the middle of its body, and will not hear anything any more.
      response.destroy()
      return
    }
    drain(request)
    sendProblem(response, error, host.log)
    return
  }
  await invoke(hosted, request, response, target, body, host)
}

/** Who is still sending would lose the answer if the connection were closed on him; but he has not for ever. */
const drain = (request: IncomingMessage): void => {
  const cut = setTimeout(() => request.destroy(), DRAIN_MS)
  request.once("close", () => clearTimeout(cut))
  request.resume()
}

const readBody = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = []
  let bytes = 0
  const tooLarge = (): Refusal =>
    new Refusal("BODY_TOO_LARGE", `The body is larger than ${MAX_BODY_BYTES} bytes.`)
  if (Number(request.headers["content-length"]) > MAX_BODY_BYTES) throw tooLarge()
  // Left before its end, it would otherwise be destroyed, and the answer with it.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) throw tooLarge()
    chunks.push(chunk)
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
}

const invoke = async (
  { handler, timeoutMs, streams }: HostedFunction,
  request: IncomingMessage,
  response: ServerResponse,
  target: readonly [string, string],
  body: Buffer | null,
  host: Host,
): Promise<void> => {
  const { event, context } = invocationOf(request, target, body, timeoutMs)
  let late = false
  const deadline: Deadline = {
    atMs: context.startedAtMs + timeoutMs,
    expire: () => {
      late = true
      fail(response, new Error(`the function did not answer within ${timeoutMs} ms`), host.log)
    },
  }
  host.deadlines.watch(deadline)
  try {
    const result = await handler(event, context)
    // What comes after its time has been answered for already.
    if (late) return
    if ("pieces" in result && result.pieces) await sendStream(response, { ...result, body: result.pieces })
    else if (typeof result.body === "string")
      sendBuffered(
        response,
        result as FunctionUrlResult,
        request.method!,
        streams ? Infinity : MAX_BODY_BYTES,
      )
    else await sendStream(response, result as StreamResult)
  } catch (error) {
    if (!late) fail(response, error, host.log)
  } finally {
    host.deadlines.forget(deadline)
  }
}

const NO_CONTENT_LENGTH = new Set([204, 304])

const sendBuffered = (
  response: ServerResponse,
  result: FunctionUrlResult,
  method: string,
  maxBytes: number,
): void => {
  const { statusCode, headers, cookies, body } = result
  const content = result.isBase64Encoded ? Buffer.from(body, "base64") : body
  const bytes = Buffer.byteLength(content)
  if (bytes > maxBytes)
    throw new Error(`the function answered with ${bytes} bytes: Lambda would not pass that on`)
  // One flat list is what node writes fastest, and it leaves the result, which may be shared, as it is.
  const lines: string[] = []
  for (const name in headers) lines.push(name, headers[name]!)
  if (cookies !== undefined) for (const cookie of cookies) lines.push("set-cookie", cookie)
  if (!NO_CONTENT_LENGTH.has(statusCode)) lines.push("content-length", String(bytes))
  response.writeHead(statusCode, lines)
  if (method === "HEAD" || content.length === 0) response.end()
  else response.end(content)
}

const sendStream = async (response: ServerResponse, result: StreamResult): Promise<void> => {
  response.writeHead(result.statusCode, result.headers)
  // A stream may stay silent for long; its head must not wait for it.
  response.flushHeaders()
  for await (const piece of result.body) {
    if (response.destroyed) return
    if (!response.write(piece)) await Promise.race([once(response, "drain"), once(response, "close")])
  }
  response.end()
}

const sendProblem = (response: ServerResponse, thrown: unknown, log: ProblemLog): void => {
  const { status, headers, body } = problemReply(thrown, crypto.randomUUID(), log)
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) })
  response.end(body)
}

/** Before anything was sent, a problem; after that there is only cutting the answer off. */
const fail = (response: ServerResponse, error: unknown, log: ProblemLog): void => {
  if (!response.headersSent) {
    sendProblem(response, error, log)
    return
  }
  log.error("an answer was cut off", { error })
  response.destroy()
}
