import { type Principal, ROLES, type Role } from "../../core/access.ts"
import { type Environment, parseEnvironment } from "../../core/environment.ts"
import { parseTenantId, type TenantId, type TokenId } from "../../core/ids.ts"
import type { Json, JsonObject } from "../../core/json.ts"
import type { JwtIssuer } from "../platform/jwt-issuers.ts"

const ROLES_MAX = 100
/** Of a whole name as well: nobody could ask for the erasure of a longer one. */
const ID_MAX = 200
/** Nothing that cannot be seen, and in the one form that Unicode calls composed: who looks alike is one person. */
const VISIBLE = /^[^\p{C}\s](?:\P{C}*[^\p{C}\s])?$/u
/** Between an issuer and the subject it vouches for; no subject of an API token has one. */
export const ISSUER_MARK = "|"

const isVisible = (value: Json | undefined): value is string =>
  typeof value === "string" &&
  value.length <= ID_MAX &&
  VISIBLE.test(value) &&
  value.normalize("NFC") === value

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A claim by its name, or by a JSON pointer (RFC 6901); only what the object has itself. */
const claimOf = (payload: JsonObject, name: string): Json | undefined => {
  if (!name.startsWith("/")) return Object.hasOwn(payload, name) ? payload[name] : undefined
  const parts = name.slice(1).split("/")
  return parts.reduce<Json | undefined>((at, part) => {
    const member = part.replaceAll("~1", "/").replaceAll("~0", "~")
    return isObject(at) && Object.hasOwn(at, member) ? at[member] : undefined
  }, payload)
}

/** Of the roles it names those that there are for people: `reader` is for applications. `null` if it is no list. */
const rolesOf = (claim: Json | undefined): readonly Role[] | null => {
  if (!Array.isArray(claim) || claim.length > ROLES_MAX) return null
  if (!claim.every((role) => typeof role === "string")) return null
  const known: readonly Role[] = [...ROLES.filter((role) => role !== "reader"), "platform_admin"]
  return known.filter((role) => claim.includes(role))
}

/** `null` for a claim that names no tenant this issuer may speak of. */
const tenantOf = (claim: Json | undefined, { tenants }: JwtIssuer): TenantId | null => {
  const tenantId = typeof claim === "string" ? parseTenantId(claim) : null
  return tenantId !== null && (tenants === null || tenants.includes(tenantId)) ? tenantId : null
}

/** The tenants and the roles there, or `null`. The platform's admins name no tenant, or `*`. */
const reachOf = (payload: JsonObject, issuer: JwtIssuer): Pick<Principal, "tenants" | "roles"> | null => {
  const roles = rolesOf(claimOf(payload, issuer.claims.roles))
  const tenant = claimOf(payload, issuer.claims.tenant)
  if (roles === null) return null
  if (issuer.platformAdmins && roles.includes("platform_admin") && (tenant === undefined || tenant === "*"))
    return { tenants: "*", roles: ["platform_admin"] }
  const tenantId = tenantOf(tenant, issuer)
  return tenantId && { tenants: [tenantId], roles: roles.filter((role) => role !== "platform_admin") }
}

/**
 * Who the claims speak of; `null` if they are not as they should be. The subject is `{issuer's name}|{sub}`, so that
 * nobody is taken for somebody of another issuer or for the holder of an API token.
 */
export const principalOf = (
  payload: JsonObject,
  issuer: JwtIssuer,
  environments: readonly Environment[],
): Principal | null => {
  const subject = claimOf(payload, issuer.claims.subject)
  const id = claimOf(payload, "jti") ?? subject
  const bound = claimOf(payload, issuer.claims.environment) ?? null
  const environment = typeof bound === "string" ? parseEnvironment(bound, environments) : null
  const reach = reachOf(payload, issuer)
  if (!isVisible(subject) || !isVisible(id) || !reach || (bound !== null && environment === null)) return null
  const name = `${issuer.name}${ISSUER_MARK}${subject}`
  if (name.length > ID_MAX) return null
  return {
    subject: name,
    // It names no row: what it may do ends with the token itself.
    tokenId: `jwt:${issuer.name}${ISSUER_MARK}${id}` as TokenId,
    ...reach,
    environment,
    ancestors: [],
  }
}
