import { createLocalJWKSet, errors, type JSONWebKeySet, jwtVerify } from "jose"
import type { Environment } from "../../core/environment.ts"
import { parseTokenId, type TenantId, type TokenId } from "../../core/ids.ts"
import { Bounded } from "./bounded.ts"

/** Who reads, as the token's signature vouches for it. */
export interface Reader {
  tokenId: TokenId
  subject: string
  tenants: ReadonlySet<TenantId> | "*"
  environment: Environment
  expiresAtMs: number
}

/**
 * `"elsewhere"` is for the origin to judge: no reader token, or one with a key or an environment that is not
 * known here.
 */
export type Verdict = Reader | "invalid" | "elsewhere"

const BEARER = /^Bearer +([\x21-\x7e]{1,8192}) *$/i
const PREFIX = "hsr_"
const REQUIREMENTS = {
  algorithms: ["EdDSA"],
  issuer: "hotswap",
  audience: "hotswap",
  typ: "hotswap-reader+jwt",
  requiredClaims: ["jti", "sub", "exp", "iat"],
}
const REMEMBERED_CHARACTERS = 4_000_000

const encoder = new TextEncoder()
const binary = new TextDecoder("latin1")
/** Enough to know a token again by, without keeping it. */
const digestOf = async (authorization: string): Promise<string> =>
  binary.decode(await crypto.subtle.digest("SHA-256", encoder.encode(authorization)))

const isTenants = (claim: unknown): claim is readonly TenantId[] | "*" =>
  claim === "*" || (Array.isArray(claim) && claim.every((tenant) => typeof tenant === "string"))

const readerOf = (payload: Record<string, unknown>, environments: readonly Environment[]): Verdict => {
  const { jti, sub, tenants, env, exp } = payload
  const id = typeof jti === "string" ? parseTokenId(jti) : null
  if (!id || !isTenants(tenants) || typeof env !== "string" || typeof exp !== "number") return "invalid"
  const environment = environments.find((declared) => declared === env)
  if (environment === undefined) return "elsewhere"
  return {
    tokenId: id.tokenId,
    subject: String(sub),
    tenants: tenants === "*" ? "*" : new Set(tenants),
    environment,
    expiresAtMs: exp * 1_000,
  }
}

/** May the reader know that this tenant exists? */
export const seesTenant = (reader: Reader, tenantId: TenantId): boolean =>
  reader.tenants === "*" || reader.tenants.has(tenantId)

/**
 * Checks reader tokens by their Ed25519 signature (RFC 8037) with the keys of a JWKS. A signature is
 * checked once; afterwards the token's digest is known, until the token expires.
 */
export const createReaders = (
  jwks: string,
  environments: readonly Environment[],
): ((authorization: string | null) => Promise<Verdict>) => {
  const findKey = createLocalJWKSet(JSON.parse(jwks) as JSONWebKeySet)
  const known = new Bounded<Reader>(REMEMBERED_CHARACTERS)

  const verify = async (token: string): Promise<Verdict> => {
    try {
      const { payload } = await jwtVerify(token.slice(PREFIX.length), findKey, REQUIREMENTS)
      return readerOf(payload, environments)
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return "elsewhere"
      if (error instanceof errors.JOSEError) return "invalid"
      throw error
    }
  }

  return async (authorization) => {
    if (authorization === null) return "elsewhere"
    const digest = await digestOf(authorization)
    const remembered = known.get(digest)
    if (remembered !== undefined) return remembered.expiresAtMs > Date.now() ? remembered : "invalid"
    const token = BEARER.exec(authorization)?.[1]
    if (!token?.startsWith(PREFIX)) return "elsewhere"
    const verdict = await verify(token)
    if (typeof verdict === "object") known.set(digest, verdict, token.length + 500)
    return verdict
  }
}
