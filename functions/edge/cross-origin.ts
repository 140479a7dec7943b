/** What a page asks by, and may ask with. As `functions/http/cross-origin.ts` has it for what is managed. */
const METHODS = "GET, HEAD, POST"
const REQUEST_HEADERS =
  "Authorization, Content-Type, Hotswap-At-Least, If-None-Match, Last-Event-ID, X-Tenant-ID"
const RESPONSE_HEADERS =
  "ETag, Retry-After, Hotswap-Arm, Hotswap-Poll, Hotswap-Request-Id, Hotswap-Revision, Hotswap-Stale"
const PREFLIGHT_SECONDS = "600"

/** Lets web pages of exactly these origins read: never `*`, never `null`, and no cookies, as there are none. */
export interface CrossOrigin {
  /** To any answer; changes nothing where no page may call. */
  allow(request: Request, response: Response): Response
  /** To a question of what is allowed: also for a browser that asks before it sends. */
  options(request: Request, methods: string): Response
}

export const createCrossOrigin = (origins: readonly string[]): CrossOrigin => {
  const allow: CrossOrigin["allow"] = (request, response) => {
    if (origins.length === 0) return response
    // Whoever keeps the answer must not hand it to another origin.
    response.headers.append("vary", "Origin")
    const origin = request.headers.get("origin")
    if (origin === null || !origins.includes(origin)) return response
    response.headers.set("access-control-allow-origin", origin)
    response.headers.set("access-control-expose-headers", RESPONSE_HEADERS)
    return response
  }
  return {
    allow,
    options: (request, methods) => {
      const response = allow(request, new Response(null, { status: 204, headers: { allow: methods } }))
      if (!response.headers.has("access-control-allow-origin")) return response
      response.headers.delete("access-control-expose-headers")
      response.headers.set("access-control-allow-methods", METHODS)
      response.headers.set("access-control-allow-headers", REQUEST_HEADERS)
      response.headers.set("access-control-max-age", PREFLIGHT_SECONDS)
      return response
    },
  }
}
