import { errors, jwtVerify } from "jose"
import type { Principal } from "../../core/access.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { type JsonObject, parseJson } from "../../core/json.ts"
import type { JwtAlgorithm, JwtIssuer } from "../platform/jwt-issuers.ts"
import { principalOf } from "./jwt-claims.ts"
import type { JwtKeys } from "./jwt-keys.ts"

/** Who a JWT speaks of. */
export interface JwtPrincipal {
  principal: Principal
  /** Seconds since the epoch. */
  expiresAt: number
}

/** `null` for a token that is not valid. Throws ISSUER_UNAVAILABLE. */
export type JwtVerifier = (token: string, now: Date) => Promise<JwtPrincipal | null>

const JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
export const isJwt = (token: string): boolean => JWS.test(token)

/** Keys that come with the token, what is not understood, what is not signed as it stands, and what is encrypted. */
const FORBIDDEN_MEMBERS = [
  "jku",
  "jwk",
  "x5u",
  "x5c",
  "crit",
  "b64",
  "cty",
  "zip",
  "enc",
  "epk",
  "nonce",
  "ppt",
]
/** An ID or access token; a token for logging out, or for proving possession of a key, is none. */
const TYPES = new Set(["jwt", "at+jwt", "application/jwt", "application/at+jwt"])
const TIMES = ["exp", "nbf", "iat"] as const
const AUDIENCES_MAX = 20

interface Header {
  algorithm: string
  kid: string
}

/** What a part stands for, unless other texts stand for the same: nobody is to write a token in a second way. */
const bytesOf = (part: string): Buffer | null => {
  const bytes = Buffer.from(part, "base64url")
  return bytes.toString("base64url") === part ? bytes : null
}

/** A part's JSON object, read once and strictly: a member named twice could be read in two ways. */
const objectOf = (part: string): JsonObject | null => {
  const bytes = bytesOf(part)
  if (bytes === null) return null
  try {
    const value = parseJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes))
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null
  } catch (error) {
    if (error instanceof Refusal || error instanceof TypeError) return null
    throw error
  }
}

const headerOf = (part: string): Header | null => {
  const header = objectOf(part)
  if (header === null || FORBIDDEN_MEMBERS.some((name) => Object.hasOwn(header, name))) return null
  const { alg, kid, typ } = header
  if (typeof alg !== "string" || typeof kid !== "string") return null
  if (typ !== undefined && !(typeof typ === "string" && TYPES.has(typ.toLowerCase()))) return null
  return { algorithm: alg, kid }
}

const isTime = (value: unknown): boolean =>
  value === undefined || (typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER)

const hasAudience = ({ aud }: JsonObject, { audience }: JwtIssuer): boolean =>
  Array.isArray(aud) ? aud.length <= AUDIENCES_MAX && aud.includes(audience) : aud === audience

/** What is not about the signature; jose looks at `exp` and `nbf` again. */
const areClaimsInOrder = (payload: JsonObject, issuer: JwtIssuer, now: Date): boolean => {
  if (!hasAudience(payload, issuer) || typeof payload.exp !== "number") return false
  if (!TIMES.every((name) => isTime(payload[name]))) return false
  // It is bound to a key that the caller would have to prove (RFC 7800); as a mere bearer token it is somebody else's.
  if (Object.hasOwn(payload, "cnf")) return false
  const seconds = now.getTime() / 1_000
  const issuedAt = typeof payload.iat === "number" ? payload.iat : seconds
  return (
    issuedAt <= seconds + issuer.leewaySeconds &&
    payload.exp - Math.min(issuedAt, seconds) <= issuer.lifetimeMaxSeconds + issuer.leewaySeconds
  )
}

/** Verifies people's tokens (RFC 7519, with RFC 8725's advice) of the issuers it is given. */
export const jwtVerifier = ({
  issuers,
  keysOf,
  environments,
}: {
  issuers: readonly JwtIssuer[]
  keysOf: (issuer: JwtIssuer) => JwtKeys
  environments: readonly Environment[]
}): JwtVerifier => {
  const known = new Map(issuers.map((issuer) => [issuer.issuer, { issuer, keys: keysOf(issuer) }]))
  return async (token, now) => {
    if (!isJwt(token)) return null
    const [first = "", second = "", third = ""] = token.split(".")
    const header = headerOf(first)
    const payload = header && objectOf(second)
    // Not to be believed yet: it only says whose keys to look at.
    const found = payload && typeof payload.iss === "string" ? known.get(payload.iss) : undefined
    if (!header || !payload || !found || !bytesOf(third)) return null
    const { issuer, keys } = found
    const algorithm = header.algorithm as JwtAlgorithm
    if (!issuer.algorithms.includes(algorithm) || !areClaimsInOrder(payload, issuer, now)) return null
    const key = await keys.find(header.kid, algorithm)
    if (!key) return null
    try {
      await jwtVerify(token, key, {
        algorithms: [algorithm],
        issuer: issuer.issuer,
        audience: issuer.audience,
        clockTolerance: issuer.leewaySeconds,
        currentDate: now,
        requiredClaims: ["exp"],
      })
    } catch (error) {
      // A TypeError is about the key: an RSA modulus that is too short, say.
      if (error instanceof errors.JOSEError || error instanceof TypeError) return null
      throw error
    }
    const principal = principalOf(payload, issuer, environments)
    return principal && { principal, expiresAt: (payload.exp as number) + issuer.leewaySeconds }
  }
}
