import { Refusal } from "../../core/errors.ts"
import type { FunctionUrlEvent, FunctionUrlResult } from "../http/events.ts"
import { problemReply } from "../http/problem.ts"
import type { Log } from "../platform/log.ts"

const METHODS = "GET, HEAD, OPTIONS"

/** What is JSON, and nothing else whatever a browser might make of it. */
export const JSON_HEADERS = {
  "content-type": "application/json; charset=utf-8",
  "x-content-type-options": "nosniff",
} as const

/** A refusal, or anything else that was thrown, as an answer. */
export const refused = (thrown: unknown, event: FunctionUrlEvent, log: Log): FunctionUrlResult => {
  const { status, headers, body } = problemReply(thrown, event.requestContext.requestId, log)
  return {
    statusCode: status,
    headers: status === 405 ? { ...headers, allow: METHODS } : headers,
    body,
    isBase64Encoded: false,
  }
}

export const jsonResult = (statusCode: number, body: unknown): FunctionUrlResult => ({
  statusCode,
  headers: { ...JSON_HEADERS, "cache-control": "no-store" },
  body: JSON.stringify(body),
  isBase64Encoded: false,
})

export const optionsResult: FunctionUrlResult = {
  statusCode: 204,
  headers: { allow: METHODS },
  body: "",
  isBase64Encoded: false,
}

/** The same without its body, as HEAD wants it. */
export const withoutBody = (result: FunctionUrlResult): FunctionUrlResult => ({ ...result, body: "" })

export const withHeader = (result: FunctionUrlResult, name: string, value: string): FunctionUrlResult => ({
  ...result,
  headers: { ...result.headers, [name]: value },
})

export const routeUnknown = (): Refusal => new Refusal("ROUTE_UNKNOWN", "Nothing is served at this path.")

/** Does `If-None-Match` name this tag? Compared weakly, as RFC 9110 13.1.2 wants it. */
export const matches = (ifNoneMatch: string | undefined, etag: string): boolean => {
  if (ifNoneMatch === undefined) return false
  if (ifNoneMatch === etag || ifNoneMatch === "*") return true
  const opaque = etag.slice(2)
  return ifNoneMatch.split(",").some((tag) => {
    const trimmed = tag.trim()
    return (trimmed.startsWith("W/") ? trimmed.slice(2) : trimmed) === opaque
  })
}
