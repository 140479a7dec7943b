import { timingSafeEqual } from "node:crypto"
import type { Principal, Role } from "../../core/access.ts"
import type { Actor } from "../../core/change/change.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { isTenant, type ScopeId, type TenantId, type TokenId } from "../../core/ids.ts"
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
  now(): Date
}

const BEARER = /^Bearer +([\x21-\x7e]{1,8192}) *$/i

const refused = (): Refusal =>
  new Refusal(
    "UNAUTHENTICATED",
    "The request carries no bearer token that is known, unexpired and not revoked.",
  )

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
  if (token === undefined) throw refused()
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
  if (!kept || kept.hash === null || !sameHash(kept.hash, address.hash)) throw refused()
  if (kept.revokedAt !== null || Date.parse(kept.expiresAt) <= door.now().getTime()) throw refused()
  if (kept.suspended) throw new Refusal("TENANT_SUSPENDED", `The tenant "${address.scope}" is suspended.`)
  return keptPrincipal(kept)
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
    if (!claims) throw refused()
    return readerPrincipal(claims)
  }
  if (door.startupTokenHash !== null && sameHash(hashToken(token), door.startupTokenHash)) return STARTUP
  return await authenticateApi(door, token)
}
