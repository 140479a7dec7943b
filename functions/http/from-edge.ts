import { timingSafeEqual } from "node:crypto"
import type { FunctionUrlEvent } from "./events.ts"

const EDGE_HEADER = "hotswap-edge"
/** The caller's own credentials, where the request's are the edge's. */
const CALLERS_HEADER = "hotswap-authorization"
const SIGNED = /^AWS4-/

/** Is it the secret? Compared in constant time. */
const isSecret = (given: Buffer, secret: string): boolean => {
  const expected = Buffer.from(secret)
  return given.length === expected.length && timingSafeEqual(given, expected)
}

/** Does the request come from our own edge? While its secret is being renewed there are two, with a comma between. */
export const isEdge = (event: FunctionUrlEvent, secret: string | null): boolean => {
  const given = Buffer.from(event.headers[EDGE_HEADER] ?? "")
  return given.length > 0 && (secret ?? "").split(",").some((each) => isSecret(given, each))
}

/**
 * The request as its caller made it: one that the edge has signed for AWS carries the caller's credentials beside its own, which
 * AWS may keep for itself. From anybody else they are where they always are, and nowhere else.
 */
export const asCalled = (event: FunctionUrlEvent, secret: string | null): FunctionUrlEvent => {
  const { [CALLERS_HEADER]: callers, ...headers } = event.headers
  const { authorization } = headers
  const isOwn = authorization !== undefined && !SIGNED.test(authorization)
  if (isOwn || !isEdge(event, secret)) return event
  return { ...event, headers: { ...headers, authorization: callers } }
}
