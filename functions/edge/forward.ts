import { Refusal } from "../../core/errors.ts"
import { originUnavailable, problemResponse } from "./refusals.ts"
import { type Settings, warn } from "./runtime.ts"
import { SECURITY_HEADERS } from "./security.ts"
import type { Outgoing, Send } from "./send.ts"
import type { Hop } from "./tracing.ts"

/**
 * Headers that concern one connection only (RFC 9110 §7.6.1); `expect` too, as who took the request in has answered it: a
 * second 100 would be taken for the answer.
 */
const HOP_BY_HOP = [
  "connection",
  "expect",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]
/** What only a proxy may claim of a request, and this one does not. */
const CLAIMS = [
  "hotswap-authorization",
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-forwarded-port",
]
/** What Lambda takes of a request. */
const SIGNED_BYTES_MAX = 6 * 1_048_576
const EDGE_HEADER = "hotswap-edge"
/** Cloudflare writes the one, over whatever the caller wrote; the origin believes the other, from the edge only. */
const CALLER_HEADER = "cf-connecting-ip"
const CLIENT_HEADER = "hotswap-client"
/** A 401 has the one; the URL of a function gives it the other name. */
const CHALLENGE = "www-authenticate"
const REMAPPED_CHALLENGE = "x-amzn-remapped-www-authenticate"
/** With this AWS answers in the place of a function; no function of ours says it. */
const AWS_ERROR = "x-amzn-errortype"
/** Where the edge itself is to be found, for what the origin tells a client to go to. */
const SITE_HEADER = "hotswap-site"

const withoutHops = (headers: Headers): Headers => {
  const kept = new Headers(headers)
  const named = headers.get("connection")?.split(",") ?? []
  for (const name of [...HOP_BY_HOP, ...named.map((name) => name.trim())]) {
    if (/^[\w-]+$/.test(name)) kept.delete(name)
  }
  return kept
}

/** What the function answered, as it said it. */
const asSaid = (headers: Headers): Headers => {
  const said = withoutHops(headers)
  said.delete(EDGE_HEADER)
  const challenge = headers.get(REMAPPED_CHALLENGE)
  said.delete(REMAPPED_CHALLENGE)
  if (challenge !== null) said.set(CHALLENGE, challenge)
  return said
}

/** What is signed is sent whole. Throws BODY_TOO_LARGE: a function takes no more. */
const wholeBody = async (request: Request): Promise<Uint8Array<ArrayBuffer> | null> => {
  if (request.body === null) return null
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of request.body) {
    bytes += piece.byteLength
    if (bytes > SIGNED_BYTES_MAX)
      throw new Refusal("BODY_TOO_LARGE", `The body is longer than ${SIGNED_BYTES_MAX} bytes.`)
    pieces.push(piece)
  }
  const whole = new Uint8Array(bytes)
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.byteLength
  }
  return whole
}

/** A body means nothing with these (RFC 9110 §9.3.1, §9.3.2), and `fetch` takes none. */
const BODILESS = /^(GET|HEAD)$/

/** What goes on of a request's body: whole where it is signed, otherwise as it comes. */
const bodyOf = async (request: Request, isSigned: boolean): Promise<Outgoing["body"]> => {
  if (!isSigned && !BODILESS.test(request.method)) return request.body
  // It is read whether it goes on or not: left unread, the connection would be closed on whoever sent it.
  const body = await wholeBody(request)
  return BODILESS.test(request.method) ? null : body
}

/** Passes a request on and its answer back, both as streams unless it is signed; nothing of either is kept. */
export const forward = async (
  request: Request,
  target: string,
  { secret }: Settings,
  send: Send,
  hop: Hop,
): Promise<Response> => {
  const headers = withoutHops(request.headers)
  for (const name of CLAIMS) headers.delete(name)
  headers.set(EDGE_HEADER, secret)
  headers.set(SITE_HEADER, new URL(request.url).origin)
  headers.delete(CLIENT_HEADER)
  if (hop.traceparent !== null) headers.set("traceparent", hop.traceparent)
  const caller = request.headers.get(CALLER_HEADER)
  if (caller !== null) headers.set(CLIENT_HEADER, caller)
  try {
    const body = await bodyOf(request, send.signs(target))
    if (body === null) headers.delete("content-length")
    const response = await send({ method: request.method, url: target, headers, body })
    hop.over(response.status)
    // That the key is not taken is nothing that the caller may hear as being about his own token.
    if (response.status === 403 && send.signs(target) && response.headers.has(AWS_ERROR)) {
      await response.body?.cancel()
      throw new Error("the signature was not taken")
    }
    const returned = asSaid(response.headers)
    for (const [name, value] of Object.entries(SECURITY_HEADERS))
      if (!returned.has(name)) returned.set(name, value)
    return new Response(response.body, {
      status: response.status,
      statusText: response.statusText,
      headers: returned,
    })
  } catch (error) {
    hop.over(null)
    if (error instanceof Refusal) return problemResponse(error)
    warn("origin unreachable", { path: new URL(target).pathname, error: String(error) })
    return problemResponse(originUnavailable())
  }
}
