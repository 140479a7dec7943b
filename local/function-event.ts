import { isUtf8 } from "node:buffer"
import { randomUUID } from "node:crypto"
import type { IncomingMessage } from "node:http"
import type { FunctionUrlEvent, InvocationContext } from "../functions/http/events.ts"

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const
const two = (number: number): string => String(number).padStart(2, "0")

/** As Lambda writes it, which is how Apache's log does: `06/Aug/2026:09:05:01 +0000`. */
export const requestTime = (epochMs: number): string => {
  const at = new Date(epochMs)
  const day = `${two(at.getUTCDate())}/${MONTHS[at.getUTCMonth()]}/${at.getUTCFullYear()}`
  return `${day}:${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} +0000`
}

/** What Lambda hands over as text; all else, and what is not UTF-8, comes as base64. */
const TEXT = /^\s*(?:text\/|application\/(?:[\w.-]+\+)?(?:json|xml|javascript)\b)/i

/** One request in progress; what is asked for rarely is made when it is asked for. */
class Invocation implements InvocationContext {
  readonly request: IncomingMessage
  readonly startedAtMs = Date.now()
  readonly #timeoutMs: number
  #requestId: string | undefined

  constructor(request: IncomingMessage, timeoutMs: number) {
    this.request = request
    this.#timeoutMs = timeoutMs
  }

  get awsRequestId(): string {
    this.#requestId ??= randomUUID()
    return this.#requestId
  }

  getRemainingTimeInMillis(): number {
    return Math.max(0, this.startedAtMs + this.#timeoutMs - Date.now())
  }
}

class RequestLine {
  readonly method: string
  readonly path: string
  readonly #request: IncomingMessage

  constructor(request: IncomingMessage, path: string) {
    this.method = request.method!
    this.path = path
    this.#request = request
  }

  get protocol(): string {
    return `HTTP/${this.#request.httpVersion}`
  }
  get sourceIp(): string {
    return this.#request.socket.remoteAddress ?? "127.0.0.1"
  }
  get userAgent(): string {
    return this.#request.headers["user-agent"] ?? ""
  }
}

const HOST = /^[a-z0-9.-]+(?::\d{1,5})?$/i

class RequestContext {
  readonly accountId = "anonymous"
  readonly apiId = "local"
  readonly authentication = null
  readonly domainPrefix = "local"
  readonly routeKey = "$default"
  readonly stage = "$default"
  readonly http: RequestLine
  readonly #invocation: Invocation

  constructor(invocation: Invocation, path: string) {
    this.#invocation = invocation
    this.http = new RequestLine(invocation.request, path)
  }

  /** A function URL is called under its own name only, whatever a request says. */
  get domainName(): string {
    const { host = "" } = this.#invocation.request.headers
    return HOST.test(host) ? host : "localhost"
  }
  get requestId(): string {
    return this.#invocation.awsRequestId
  }
  get time(): string {
    return requestTime(this.#invocation.startedAtMs)
  }
  get timeEpoch(): number {
    return this.#invocation.startedAtMs
  }
}

/**
 * A request as a Lambda function URL delivers it (payload format 2.0). Its own members are plain, as handlers may
 * copy it; what lies deeper and is rarely asked for is made on being asked, or it would cost more than a hot read.
 */
class UrlEvent implements FunctionUrlEvent {
  readonly version = "2.0"
  readonly routeKey = "$default"
  readonly rawPath: string
  readonly rawQueryString: string
  /** node has the names in lower case and joins repeated ones; what stays a list is sent by servers only. */
  readonly headers: Record<string, string | undefined>
  readonly requestContext: RequestContext
  readonly isBase64Encoded: boolean
  readonly cookies?: string[]
  readonly body?: string

  constructor(invocation: Invocation, rawPath: string, rawQueryString: string, body: Buffer | null) {
    const { headers } = invocation.request
    this.rawPath = rawPath
    this.rawQueryString = rawQueryString
    this.headers = headers as Record<string, string | undefined>
    this.requestContext = new RequestContext(invocation, rawPath)
    this.isBase64Encoded = body !== null && !isText(headers["content-type"], body)
    if (headers.cookie !== undefined) this.cookies = headers.cookie.split("; ")
    if (body !== null) this.body = body.toString(this.isBase64Encoded ? "base64" : "utf8")
  }
}

const isText = (contentType: string | undefined, body: Buffer): boolean =>
  TEXT.test(contentType ?? "") && isUtf8(body)

/** RFC 9112, section 3.2: a target may name the host as well, or be an asterisk. */
const originForm = (target: string): string =>
  target.startsWith("/") ? target : `/${target.replace(/^[a-z]+:\/\/[^/?]*\/?/i, "")}`

/** Splits a request's target where the query begins. Nothing is parsed or decoded: Lambda does not either. */
export const splitTarget = (asked: string): [path: string, query: string] => {
  const target = originForm(asked)
  const mark = target.indexOf("?")
  return mark === -1 ? [target, ""] : [target.slice(0, mark), target.slice(mark + 1)]
}

export const invocationOf = (
  request: IncomingMessage,
  [path, query]: readonly [path: string, query: string],
  body: Buffer | null,
  timeoutMs: number,
): { event: FunctionUrlEvent; context: InvocationContext & { startedAtMs: number } } => {
  const invocation = new Invocation(request, timeoutMs)
  return { event: new UrlEvent(invocation, path, query, body), context: invocation }
}
