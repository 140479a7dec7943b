import { createHash, randomBytes } from "node:crypto"
import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  importJWK,
  type JSONWebKeySet,
  type JWK,
  jwtVerify,
  SignJWT,
} from "jose"
import type { Environment } from "../../core/environment.ts"
import {
  parseScopeId,
  parseTokenId,
  type ScopeId,
  type TenantId,
  type TokenId,
  tokenIdOf,
} from "../../core/ids.ts"

const API_TOKEN = /^hs_([A-Za-z0-9~.-]+)_([0-9a-f]{32})_[A-Za-z0-9_-]{43}$/
const ISSUER = "hotswap"
const AUDIENCE = "hotswap"
const ALGORITHM = "EdDSA"
const READER_TYPE = "hotswap-reader+jwt"
const READER_PREFIX = "hsr_"
const DAY_SECONDS = 86_400

export const READER_LIFETIME_SECONDS = 365 * DAY_SECONDS
export const API_LIFETIME_SECONDS = 90 * DAY_SECONDS
/** What doors take in an `Authorization` header, without its scheme. */
export const TOKEN_LENGTH_MAX = 8_192
/** No token lasts longer. */
export const MAX_LIFETIME_SECONDS = 400 * DAY_SECONDS

export const hashToken = (token: string): string => createHash("sha256").update(token).digest("hex")

/** An API token names the scope that keeps it, so it is looked up under that scope's row security. */
export interface ApiTokenAddress {
  scope: ScopeId
  tokenId: TokenId
  /** SHA-256 of the whole token, hex: what is stored of it. */
  hash: string
}

export const parseApiToken = (token: string): ApiTokenAddress | null => {
  const match = API_TOKEN.exec(token)
  const scope = match && parseScopeId(match[1] ?? "")
  return match && scope ? { scope, tokenId: tokenIdOf(scope, match[2] ?? ""), hash: hashToken(token) } : null
}

/** A new API token: 256 random bits behind its address. The text is shown once and not kept. */
export const mintApiToken = (scope: ScopeId, uuid: string): ApiTokenAddress & { token: string } => {
  const hex = uuid.replaceAll("-", "")
  const token = `hs_${scope}_${hex}_${randomBytes(32).toString("base64url")}`
  return { token, scope, tokenId: tokenIdOf(scope, hex), hash: hashToken(token) }
}

/** What a reader token says about itself; true once its signature is checked. */
export interface ReaderClaims {
  tokenId: TokenId
  subject: string
  tenants: readonly TenantId[] | "*"
  environment: Environment
  /** Seconds since the epoch. */
  issuedAt: number
  expiresAt: number
}

export const isReaderToken = (token: string): boolean => token.startsWith(READER_PREFIX)

/** Ed25519 signing with the first private key of the set. Throws when there is none. */
export const readerSigner = async (
  keys: JSONWebKeySet,
): Promise<(claims: ReaderClaims) => Promise<string>> => {
  const jwk = keys.keys.find((key) => key.kty === "OKP" && typeof key.d === "string")
  if (!jwk?.kid) throw new Error("HOTSWAP_READER_KEYS holds no private Ed25519 key with a kid")
  const key = (await importJWK(jwk, ALGORITHM)) as CryptoKey
  const header = { alg: ALGORITHM, kid: jwk.kid, typ: READER_TYPE }
  return async (claims) => {
    const jwt = await new SignJWT({ tenants: claims.tenants, env: claims.environment })
      .setProtectedHeader(header)
      .setJti(claims.tokenId)
      .setSubject(claims.subject)
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setIssuedAt(claims.issuedAt)
      .setExpirationTime(claims.expiresAt)
      .sign(key)
    return READER_PREFIX + jwt
  }
}

const publicPart = ({ d: _private, ...key }: JWK): JWK => key

const isTenants = (claim: unknown): claim is readonly TenantId[] | "*" =>
  claim === "*" || (Array.isArray(claim) && claim.every((tenant) => typeof tenant === "string"))

/** Checks a reader token with any key of the set (private parts are not needed); `null` if it is not valid. */
export const readerVerifier = (
  keys: JSONWebKeySet,
): ((token: string, now: Date) => Promise<ReaderClaims | null>) => {
  const find = createLocalJWKSet({ keys: keys.keys.map(publicPart) })
  const options = { algorithms: [ALGORITHM], issuer: ISSUER, audience: AUDIENCE, typ: READER_TYPE }
  const required = { requiredClaims: ["jti", "sub", "exp", "iat"] }
  return async (token, now) => {
    if (!isReaderToken(token)) return null
    try {
      const { payload } = await jwtVerify(token.slice(READER_PREFIX.length), find, {
        ...options,
        ...required,
        currentDate: now,
      })
      const { jti = "", sub = "", tenants, env, iat = 0, exp = 0 } = payload
      const id = parseTokenId(jti)
      if (!id || !isTenants(tenants) || typeof env !== "string") return null
      return {
        tokenId: id.tokenId,
        subject: sub,
        tenants,
        environment: env as Environment,
        issuedAt: iat,
        expiresAt: exp,
      }
    } catch (error) {
      if (error instanceof errors.JOSEError) return null
      throw error
    }
  }
}
