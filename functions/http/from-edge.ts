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

/**
 * Which of our secrets the request was sent with: while it is being renewed there are two, with a comma between. `null`: it does
 * not come from our own edge.
 */
export const edgeSecretOf = (event: FunctionUrlEvent, secret: string | null): string | null => {
  const given = Buffer.from(event.headers[EDGE_HEADER] ?? "")
  if (given.length === 0) return null
  return (secret ?? "").split(",").find((each) => isSecret(given, each)) ?? null
}

/** Does the request come from our own edge? */
export const isEdge = (event: FunctionUrlEvent, secret: string | null): boolean =>
  edgeSecretOf(event, secret) !== null

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
