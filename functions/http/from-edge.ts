import { timingSafeEqual } from "node:crypto"
import type { FunctionUrlEvent } from "./events.ts"

const EDGE_HEADER = "hotswap-edge"
/** The caller's own credentials, where the request's are the edge's. */
const CALLERS_HEADER = "hotswap-authorization"
const SIGNED = /^AWS4-/

/** Does the request come from our own edge? Compared in constant time. */
export const isEdge = (event: FunctionUrlEvent, secret: string | null): boolean => {
  const given = Buffer.from(event.headers[EDGE_HEADER] ?? "")
  const expected = Buffer.from(secret ?? "")
  return expected.length > 0 && given.length === expected.length && timingSafeEqual(given, expected)
}

/**
 * The request as its caller made it: one that the edge has signed for AWS carries the caller's credentials beside its own. From
 * anybody else they are where they always are, and nowhere else.
 */
export const asCalled = (event: FunctionUrlEvent, secret: string | null): FunctionUrlEvent => {
  const { [CALLERS_HEADER]: callers, ...headers } = event.headers
  if (!SIGNED.test(headers.authorization ?? "") || !isEdge(event, secret)) return event
  return { ...event, headers: { ...headers, authorization: callers } }
}
