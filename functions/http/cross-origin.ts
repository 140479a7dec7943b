import type { MiddlewareHandler } from "hono"
import { cors } from "hono/cors"

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
const REQUEST_HEADERS = [
  "Authorization",
  "Content-Type",
  "Idempotency-Key",
  "If-Match",
  "If-None-Match",
  "X-Tenant-ID",
]
const RESPONSE_HEADERS = [
  "ETag",
  "Retry-After",
  "RateLimit",
  "RateLimit-Policy",
  "Hotswap-Request-Id",
  "Hotswap-Revision",
]
const PREFLIGHT_SECONDS = 600

/**
 * Lets web pages of exactly these origins call: never `*`, never `null`, and no cookies, as there are none. For any
 * other origin answers are as they would be without, so that the browser keeps them from the page.
 */
export const crossOrigin = (origins: readonly string[]): MiddlewareHandler => {
  const allowed = cors({
    origin: (origin) => (origins.includes(origin) ? origin : null),
    allowMethods: METHODS,
    allowHeaders: REQUEST_HEADERS,
    exposeHeaders: RESPONSE_HEADERS,
    maxAge: PREFLIGHT_SECONDS,
  })
  return async (context, next) => {
    if (origins.length === 0) return await next()
    const origin = context.req.header("origin")
    if (origin !== undefined && origins.includes(origin)) return await allowed(context, next)
    await next()
    // Whoever keeps the answer must not hand it to another origin.
    context.res.headers.append("vary", "Origin")
    return undefined
  }
}
