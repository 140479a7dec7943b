import { type IncomingMessage, request as plainRequest } from "node:http"
import { request as secureRequest } from "node:https"
import { isIP, type LookupFunction } from "node:net"
import { type Block, judgeAddress } from "./addresses.ts"
import { createResolve, type Resolve } from "./resolve.ts"

export interface OutboundRequest {
  url: string
  headers: Readonly<Record<string, string>>
  body: string
  deadlineMs: number
}
/** Reads what is found there, as `post` sends: nothing else differs. */
export type OutboundLookup = Omit<OutboundRequest, "body">
export interface OutboundReply {
  status: number
  retryAfter: string | null
  /** At most 64 KiB of it. */
  body: string
}

/** Calls URLs that others have named, without letting them reach what only this machine can. */
export interface Outbound {
  /** Follows no redirect. Throws {@link UrlRefused}, or {@link NotReached} with the reason in words. */
  post(request: OutboundRequest): Promise<OutboundReply>
  get(request: OutboundLookup): Promise<OutboundReply>
  /** Throws {@link UrlRefused} for what `post` would not be sent to, as far as can be told now. */
  check(url: string): Promise<void>
}

/** Nothing is sent there. `address`: for where the host's name leads; `url`: for what the URL itself says. */
export class UrlRefused extends Error {
  readonly because: "url" | "address"
  constructor(because: "url" | "address", words: string) {
    super(words)
    this.name = "UrlRefused"
    this.because = because
  }
}

/** It may be there another time. */
export class NotReached extends Error {
  constructor(words: string, options?: ErrorOptions) {
    super(words, options)
    this.name = "NotReached"
  }
}

interface Checked {
  url: URL
  /** The only ones that are connected to. */
  addresses: readonly string[]
}

const REPLY_BYTES_MAX = 65_536
const RESOLVE_MS = 5_000
const PORTS = new Set(["", "443", "80", "8443", "8080"])

/** `allowed`: blocks of addresses that are reached although they are not public, and without TLS too. */
export const createOutbound = ({
  allowed,
  resolve = createResolve(),
}: {
  allowed: readonly Block[]
  resolve?: Resolve
}): Outbound => {
  const checked = async (text: string, deadlineMs: number): Promise<Checked> => {
    const url = parseUrl(text)
    const addresses = await addressesOf(url, resolve, deadlineMs)
    const judged = new Set(addresses.map((address) => judgeAddress(address, allowed)))
    // One of several is enough: which of them is connected to is not for us to choose.
    if (judged.has("forbidden"))
      throw new UrlRefused("address", "The host does not resolve to public addresses only.")
    if (judged.has("public")) mustBeUsual(url)
    return { url, addresses }
  }
  const call = async (
    method: "GET" | "POST",
    request: OutboundLookup & { body?: string },
  ): Promise<OutboundReply> => {
    const startedAtMs = performance.now()
    const target = await checked(request.url, request.deadlineMs)
    const leftMs = request.deadlineMs - (performance.now() - startedAtMs)
    return await send(target, method, request, Math.max(1, Math.ceil(leftMs)))
  }
  return {
    check: async (url) => void (await checked(url, RESOLVE_MS)),
    post: (request) => call("POST", request),
    get: (request) => call("GET", request),
  }
}

const parseUrl = (text: string): URL => {
  const url = URL.parse(text)
  if (url === null || !["https:", "http:"].includes(url.protocol) || url.hostname === "")
    throw new UrlRefused("url", "It is not an https URL.")
  if (url.username !== "" || url.password !== "")
    throw new UrlRefused("url", "A URL with a user or password in it is not used.")
  return url
}

const mustBeUsual = (url: URL): void => {
  if (url.protocol !== "https:") throw new UrlRefused("url", "It is not an https URL.")
  if (!PORTS.has(url.port)) throw new UrlRefused("url", "Its port is none of 443, 80, 8443, 8080.")
}

const bare = (hostname: string): string => hostname.replace(/^\[(.*)\]$/, "$1")

const addressesOf = async (url: URL, resolve: Resolve, deadlineMs: number): Promise<readonly string[]> => {
  const host = bare(url.hostname)
  if (isIP(host) !== 0) return [host]
  const late = new NotReached("The host's name was not resolved in time.")
  const found = await withDeadline(resolve(host), deadlineMs, late).catch((error: unknown) => {
    throw error === late ? error : new NotReached("The host's name does not resolve.", { cause: error })
  })
  if (found.length === 0) throw new NotReached("The host's name does not resolve.")
  return found
}

const withDeadline = async <T>(work: Promise<T>, deadlineMs: number, late: Error): Promise<T> => {
  const expired = Promise.withResolvers<never>()
  const timer = setTimeout(() => expired.reject(late), deadlineMs)
  try {
    return await Promise.race([work, expired.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Answers with what was checked, so that a name which leads elsewhere by now leads nowhere. */
const pinned =
  (addresses: readonly string[]): LookupFunction =>
  (_hostname, options, answer) => {
    const all = addresses.map((address) => ({ address, family: isIP(address) }))
    if (options.all) answer(null, all)
    else answer(null, all[0]!.address, all[0]!.family)
  }

const send = (
  { url, addresses }: Checked,
  method: "GET" | "POST",
  { headers, body }: OutboundLookup & { body?: string },
  deadlineMs: number,
): Promise<OutboundReply> => {
  const deadline = AbortSignal.timeout(deadlineMs)
  return new Promise((resolve, reject) => {
    let isAnswered = false
    const fail = (error: unknown): void => {
      // Once there is a head, how the rest of the answer fares is of no account.
      if (!isAnswered) reject(notReached(error, deadline.aborted))
    }
    const start = url.protocol === "https:" ? secureRequest : plainRequest
    const request = start(url, {
      method,
      headers: {
        ...headers,
        ...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) }),
        connection: "close",
      },
      // A connection of its own: one that is kept could be to an address that was checked for somebody else.
      agent: false,
      lookup: pinned(addresses),
      signal: deadline,
    })
    request.on("error", fail)
    request.on("response", (response) => {
      isAnswered = true
      readReply(response).then(resolve, reject)
    })
    // Nothing else tells of a connection that ended in a way of its own, such as by changing its protocol.
    request.on("close", () => fail(null))
    request.end(body)
  })
}

const readReply = async (response: IncomingMessage): Promise<OutboundReply> => {
  const pieces: Buffer[] = []
  let bytes = 0
  try {
    // Leaving the loop early destroys the response, and the connection with it.
    for await (const piece of response as AsyncIterable<Buffer>) {
      pieces.push(piece)
      bytes += piece.length
      if (bytes >= REPLY_BYTES_MAX) break
    }
  } catch {
    // The head said what there is to know: what was taken must not be sent again because the rest is missing.
  }
  return {
    status: response.statusCode!,
    retryAfter: response.headers["retry-after"] ?? null,
    body: Buffer.concat(pieces).subarray(0, REPLY_BYTES_MAX).toString("utf8"),
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "The host does not accept connections.",
  ECONNRESET: "The host closed the connection before it answered.",
  ENOTFOUND: "The host's name does not resolve.",
  ENODATA: "The host's name does not resolve.",
  EHOSTUNREACH: "The host cannot be reached.",
  ENETUNREACH: "The host cannot be reached.",
  ETIMEDOUT: "The host did not answer in time.",
  EPIPE: "The host closed the connection before it answered.",
}

const codeOf = (error: unknown): string => {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0])
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === "string" && /^[A-Z0-9_]{1,60}$/.test(code) ? code : "unknown"
}

const notReached = (error: unknown, isLate: boolean): NotReached => {
  if (isLate) return new NotReached("The host did not answer in time.", { cause: error })
  return new NotReached(wordsOf(error), { cause: error })
}

/** Why a connection failed, for people. */
export const wordsOf = (error: unknown): string => {
  const code = codeOf(error)
  return WORDS[code] ?? `The connection failed (${code}).`
}
