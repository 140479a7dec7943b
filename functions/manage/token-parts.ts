import type { Principal, Role } from "../../core/access.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { isTenant, parseTokenId, type ScopeId, type TenantId, tokenIdOf } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import type { NewToken, TokenRow } from "../../db/queries/tokens.ts"
import { ISSUER_MARK } from "../http/jwt-claims.ts"
import {
  API_LIFETIME_SECONDS,
  mintApiToken,
  READER_LIFETIME_SECONDS,
  TOKEN_LENGTH_MAX,
} from "../http/tokens.ts"
import { misshapen } from "../http/validate.ts"
import type { ManageDeps } from "./deps.ts"
import { actorOf } from "./parse.ts"

export interface Wish {
  subject: string
  roles: readonly Role[]
  tenants: readonly TenantId[] | "*" | null
  environment: Environment | null
  expiresInSeconds: number | undefined
}

/** A tenant's token is for that tenant, which its id names. */
const tenantsOf = ({ tenants, tokenId }: Pick<TokenRow, "tenants" | "tokenId">): JsonObject["tenants"] => {
  if (tenants !== null) return tenants === "*" ? tenants : [...tenants]
  const scope = parseTokenId(tokenId)?.scope
  return scope && isTenant(scope) ? [scope] : "*"
}

/** A token's row as HTTP shows it: never the token. */
export const showToken = (row: Omit<TokenRow, "scope">): JsonObject => ({
  tokenId: row.tokenId,
  subject: row.subject,
  roles: [...row.roles],
  tenants: tenantsOf(row),
  environment: row.environment,
  issuedBy: row.issuer.subject,
  issuer: { subject: row.issuer.subject, tokenId: row.issuer.tokenId, ancestors: [...row.issuer.ancestors] },
  createdAt: row.createdAt,
  expiresAt: row.expiresAt,
  revokedAt: row.revokedAt,
})

/** Rows as a list shows them: with the moment each was used last, unless that cannot be known now. */
export const showTokens = async (
  { tokenUses }: Pick<ManageDeps, "tokenUses">,
  scope: ScopeId,
  rows: readonly TokenRow[],
): Promise<JsonObject[]> => {
  const api = rows.filter(({ kind }) => kind === "api").map(({ tokenId }) => tokenId)
  const uses = await tokenUses.last(scope, api)
  return rows.map((row) => {
    const lastUsedAt = uses?.get(row.tokenId)
    return { ...showToken(row), ...(lastUsedAt === undefined ? {} : { lastUsedAt }) }
  })
}

const badBody = (path: string, message: string): Refusal => misshapen("body", [{ path, message }])

/** Names by which the service itself stands in the audit. */
const OWN_SUBJECTS = new Set(["clock", "platform"])
/** Nothing that cannot be seen: two people who look alike in an approval are taken for one. */
const SUBJECT = /^[^\p{C}\s](?:\P{C}*[^\p{C}\s])?$/u

/** Nobody hands on more than they have. Throws BODY_INVALID or FORBIDDEN. */
export const checkWish = (wish: Wish, issuer: Principal): void => {
  const reads = wish.roles.includes("reader")
  if (OWN_SUBJECTS.has(wish.subject) || !SUBJECT.test(wish.subject))
    throw badBody("/subject", "It is the service's own, or holds what cannot be seen.")
  if (wish.subject.includes(ISSUER_MARK))
    throw badBody(
      "/subject",
      `"${ISSUER_MARK}" stands only in the names of people whom an issuer vouches for.`,
    )
  if (new Set(wish.roles).size !== wish.roles.length) throw badBody("/roles", "A role is named twice.")
  if (reads && wish.roles.length > 1)
    throw badBody("/roles", "`reader` stands alone: it is for applications.")
  if (reads && wish.environment === null)
    throw badBody("/environment", "A reader is bound to one environment.")
  if (wish.roles.includes("platform_admin") && wish.tenants !== "*")
    throw badBody("/tenants", "A platform admin is one of every tenant.")
  if (issuer.environment !== null && wish.environment !== issuer.environment)
    throw new Refusal("FORBIDDEN", `The token is bound to ${issuer.environment}, and so is what it issues.`)
}

/** The row to keep and the text to show, once. */
export const issue = async (
  deps: ManageDeps,
  scope: ScopeId,
  wish: Wish,
  issuer: Principal,
): Promise<{ row: NewToken; token: string }> => {
  const uuid = deps.ids.uuid()
  const issuedAt = Math.floor(deps.clock.nowMs() / 1_000)
  const reads = wish.roles.includes("reader")
  const lifetime = wish.expiresInSeconds ?? (reads ? READER_LIFETIME_SECONDS : API_LIFETIME_SECONDS)
  const expiresAt = issuedAt + lifetime
  const { subject, environment, tenants } = wish
  const row = {
    subject,
    roles: [...wish.roles],
    tenants: tenants === null || tenants === "*" ? tenants : [...tenants],
    environment,
    issuer: actorOf(issuer),
    expiresAt: new Date(expiresAt * 1_000).toISOString(),
  }
  if (!reads) {
    const { token, tokenId, hash } = mintApiToken(scope, uuid)
    return { row: { ...row, tokenId, kind: "api", secretHash: hash }, token }
  }
  const tokenId = tokenIdOf(scope, uuid)
  const claims = {
    tokenId,
    subject,
    tenants: tenants ?? [scope as TenantId],
    environment: environment!,
    issuedAt,
    expiresAt,
  }
  const token = await deps.signReader(claims)
  if (token.length > TOKEN_LENGTH_MAX)
    throw badBody("/tenants", "They do not fit into a token: name fewer, or issue several tokens.")
  return { row: { ...row, tokenId, kind: "reader", secretHash: null }, token }
}
