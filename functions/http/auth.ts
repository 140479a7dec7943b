import { timingSafeEqual } from "node:crypto"
import type { Principal, Role } from "../../core/access.ts"
import type { Actor } from "../../core/change/change.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { isTenant, type ScopeId, type TenantId, type TokenId } from "../../core/ids.ts"
import { isJwt, type JwtVerifier } from "./jwt.ts"
import { hashToken, isReaderToken, parseApiToken, type ReaderClaims } from "./tokens.ts"

/** What is kept of a token, found under the scope that keeps it. */
export interface KeptToken {
  tokenId: TokenId
  subject: string
  roles: readonly Role[]
  tenants: readonly TenantId[] | "*"
  environment: Environment | null
  ancestors: readonly string[]
  /** SHA-256 of the whole token, hex; `null` for reader tokens, which are signed instead. */
  hash: string | null
  expiresAt: string
  revokedAt: string | null
  /** Its tenant is suspended: refused as such. Left out by whoever learns it elsewhere. */
  suspended?: boolean
}

/** A token's row, as the database's `findToken` gives it. */
export interface TokenFacts {
  tokenId: TokenId
  subject: string
  roles: readonly Role[]
  /** For a token of the platform's; a tenant's own has `null`. */
  tenants: readonly TenantId[] | "*" | null
  environment: string | null
  issuer: Actor
  secretHash: string | null
  expiresAt: string
  revokedAt: string | null
}

/** What the door needs to know who is asking. */
export interface Door {
  /** SHA-256 of the platform's start-up token, hex; `null` where there is none. */
  startupTokenHash: string | null
  findToken(scope: ScopeId, tokenId: TokenId): Promise<KeptToken | null>
  verifyReader(token: string, now: Date): Promise<ReaderClaims | null>
  /** For people's tokens; `null` or left out where no issuer's word is taken. */
  verifyJwt?: JwtVerifier | null
  /** Left out where a suspended tenant shows elsewhere; `null` for one that is not there. */
  tenantStatus?(tenantId: TenantId): Promise<"active" | "suspended" | null>
  now(): Date
  /** An API token was let in. Returns at once; left out where nobody keeps it. */
  used?(scope: ScopeId, tokenId: TokenId): void
}

const BEARER = /^Bearer +([\x21-\x7e]{1,8192}) *$/i

/** The same words for every token that is none, whatever is wrong with it. */
export const unknownToken = (): Refusal =>
  new Refusal(
    "UNAUTHENTICATED",
    "The request carries no bearer token that is known, unexpired and not revoked.",
  )

const suspended = (scope: string): Refusal =>
  new Refusal("TENANT_SUSPENDED", `The tenant "${scope}" is suspended.`)

const sameHash = (left: string, right: string): boolean =>
  left.length === right.length && timingSafeEqual(Buffer.from(left), Buffer.from(right))

/** Nobody issued it: what it issues is excepted from the rules about descent. */
const STARTUP: Principal = {
  subject: "platform",
  tokenId: "startup",
  roles: ["platform_admin"],
  tenants: "*",
  environment: null,
  ancestors: [],
}

/** The token of an `Authorization` header. Throws UNAUTHENTICATED. */
const bearerOf = (authorization: string | null | undefined): string => {
  const token = BEARER.exec(authorization ?? "")?.[1]
  if (token === undefined) throw unknownToken()
  return token
}

const readerPrincipal = (claims: ReaderClaims): Principal => ({
  subject: claims.subject,
  tokenId: claims.tokenId,
  roles: ["reader"],
  tenants: claims.tenants,
  environment: claims.environment,
  ancestors: [],
})

/** Who stands behind a token: its issuer and theirs. The start-up token is excepted, as it issues everyone's first. */
const ancestorsOf = ({ subject, tokenId, ancestors }: Actor): readonly string[] =>
  tokenId === "startup" ? [] : [subject, ...ancestors]

/** The row as the door reads it. */
export const keptToken = (row: TokenFacts, scope: ScopeId): KeptToken => ({
  tokenId: row.tokenId,
  subject: row.subject,
  roles: row.roles,
  tenants: isTenant(scope) ? [scope] : (row.tenants ?? "*"),
  environment: row.environment as Environment | null,
  ancestors: ancestorsOf(row.issuer),
  hash: row.secretHash,
  expiresAt: row.expiresAt,
  revokedAt: row.revokedAt,
})

const keptPrincipal = ({
  tokenId,
  subject,
  roles,
  tenants,
  environment,
  ancestors,
}: KeptToken): Principal => ({
  subject,
  tokenId,
  roles,
  tenants,
  environment,
  ancestors,
})

const authenticateApi = async (door: Door, token: string): Promise<Principal> => {
  const address = parseApiToken(token)
  const kept = address && (await door.findToken(address.scope, address.tokenId))
  if (!kept || kept.hash === null || !sameHash(kept.hash, address.hash)) throw unknownToken()
  if (kept.revokedAt !== null || Date.parse(kept.expiresAt) <= door.now().getTime()) throw unknownToken()
  if (kept.suspended) throw suspended(address.scope)
  door.used?.(address.scope, address.tokenId)
  return keptPrincipal(kept)
}

/** A person whose tenant is not there has nothing to do here, as it would be with a token of that tenant's. */
const authenticateJwt = async (door: Door, verify: JwtVerifier, token: string): Promise<Principal> => {
  const found = await verify(token, door.now())
  if (!found) throw unknownToken()
  const { principal } = found
  const [tenantId] = principal.tenants
  if (principal.tenants === "*" || tenantId === undefined || !door.tenantStatus) return principal
  const status = await door.tenantStatus(tenantId as TenantId)
  if (status === null) throw unknownToken()
  if (status === "suspended") throw suspended(tenantId)
  return principal
}

/** Which kept token a header claims to be, by its public prefix; `null` for none. */
export const tokenClaimed = (authorization: string | null | undefined): TokenId | null => {
  const token = BEARER.exec(authorization ?? "")?.[1]
  return token === undefined ? null : (parseApiToken(token)?.tokenId ?? null)
}

/**
 * Who is asking, or UNAUTHENTICATED. A reader token is judged by its signature alone: whoever serves it
 * must still look for its id among the revoked ones.
 */
export const authenticate = async (
  door: Door,
  authorization: string | null | undefined,
): Promise<Principal> => {
  const token = bearerOf(authorization)
  if (isReaderToken(token)) {
    const claims = await door.verifyReader(token, door.now())
    if (!claims) throw unknownToken()
    return readerPrincipal(claims)
  }
  if (door.startupTokenHash !== null && sameHash(hashToken(token), door.startupTokenHash)) return STARTUP
  if (door.verifyJwt && isJwt(token)) return await authenticateJwt(door, door.verifyJwt, token)
  return await authenticateApi(door, token)
}
