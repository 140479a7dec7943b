import { originUnavailable, problemResponse } from "./refusals.ts"
import { type Settings, warn } from "./runtime.ts"
import { SECURITY_HEADERS } from "./security.ts"

/** Headers that concern one connection only (RFC 9110 §7.6.1). */
const HOP_BY_HOP = [
  "connection",
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
const CLAIMS = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port"]
const EDGE_HEADER = "hotswap-edge"
/** Cloudflare writes the one, over whatever the caller wrote; the origin believes the other, from the edge only. */
const CALLER_HEADER = "cf-connecting-ip"
const CLIENT_HEADER = "hotswap-client"
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

/** Passes a request on and its answer back, both as streams; nothing of either is kept. */
export const forward = async (request: Request, target: string, settings: Settings): Promise<Response> => {
  const headers = withoutHops(request.headers)
  for (const name of CLAIMS) headers.delete(name)
  headers.set(EDGE_HEADER, settings.secret)
  headers.set(SITE_HEADER, new URL(request.url).origin)
  headers.delete(CLIENT_HEADER)
  const caller = request.headers.get(CALLER_HEADER)
  if (caller !== null) headers.set(CLIENT_HEADER, caller)
  try {
    const onward = new Request(new Request(target, request), { headers, redirect: "manual" })
    const response = await fetch(onward, { cache: "no-store" })
    const returned = withoutHops(response.headers)
    returned.delete(EDGE_HEADER)
    for (const [name, value] of Object.entries(SECURITY_HEADERS))
      if (!returned.has(name)) returned.set(name, value)
    return new Response(response.body, {
      status: response.status,
      statusText: response.statusText,
      headers: returned,
    })
  } catch (error) {
    warn("origin unreachable", { path: new URL(target).pathname, error: String(error) })
    return problemResponse(originUnavailable())
  }
}
