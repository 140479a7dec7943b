import type { JWK } from "jose"
import { parseTenantId, type TenantId } from "../../core/ids.ts"

/** Asymmetric all of them: whoever can check a token must not be able to make one. */
const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
] as const
const USUAL_ALGORITHMS: readonly JwtAlgorithm[] = ["RS256", "PS256", "ES256", "EdDSA"]
export type JwtAlgorithm = (typeof ALGORITHMS)[number]

/** Under which names an issuer says what is asked for: a member's name, or a JSON pointer (`/realm_access/roles`). */
export interface ClaimNames {
  subject: string
  tenant: string
  roles: string
  environment: string
}

/** Somebody whose word about people is taken, and how far. */
export interface JwtIssuer {
  /** Stands before the subjects it vouches for; no other issuer has it. */
  name: string
  issuer: string
  audience: string
  algorithms: readonly JwtAlgorithm[]
  keys: { kind: "set"; keys: readonly JWK[] } | { kind: "url"; url: string } | { kind: "discovered" }
  claims: ClaimNames
  /** The only tenants it may speak of; `null` for every one. */
  tenants: readonly TenantId[] | null
  platformAdmins: boolean
  leewaySeconds: number
  lifetimeMaxSeconds: number
}

const LEEWAY_MAX_SECONDS = 60
const LEEWAY_SECONDS = 30
const DAY_SECONDS = 86_400
const ISSUERS_MAX = 50
const KEYS_MAX = 100
const TEXT_MAX = 500
const NAME = /^[A-Za-z0-9][A-Za-z0-9./:_-]{0,99}$/
/** Reader tokens are signed under it. */
const OWN_ISSUER = "hotswap"

type Members = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const MEMBERS = new Set([
  "name",
  "issuer",
  "audience",
  "algorithms",
  "jwks",
  "jwksUrl",
  "claims",
  "tenants",
  "platformAdmins",
  "leewaySeconds",
  "lifetimeMaxSeconds",
])

class Wrong extends Error {}

const textOf = (members: Members, name: string): string => {
  const value = members[name]
  if (typeof value !== "string" || value === "" || value.length > TEXT_MAX)
    throw new Wrong(`\`${name}\` is not a text of 1 to ${TEXT_MAX} characters`)
  return value
}

/** The host and path of a URL; any other text as it is. */
const usualName = (issuer: string): string => {
  const url = URL.parse(issuer)
  return url === null || url.host === "" ? issuer : (url.host + url.pathname).replace(/\/$/, "")
}

const nameOf = (members: Members, issuer: string): string => {
  const name = members.name === undefined ? usualName(issuer) : textOf(members, "name")
  if (!NAME.test(name)) throw new Wrong("`name` is not 1 to 100 letters, digits and ./:_-")
  return name
}

const algorithmsOf = ({ algorithms }: Members): readonly JwtAlgorithm[] => {
  if (algorithms === undefined) return USUAL_ALGORITHMS
  const isKnown = (one: unknown): one is JwtAlgorithm => (ALGORITHMS as readonly unknown[]).includes(one)
  if (!Array.isArray(algorithms) || algorithms.length === 0 || !algorithms.every(isKnown))
    throw new Wrong(`\`algorithms\` are some of ${ALGORITHMS.join(", ")}`)
  return algorithms
}

const keysOf = (members: Members, issuer: string): JwtIssuer["keys"] => {
  if (members.jwks !== undefined && members.jwksUrl !== undefined)
    throw new Wrong("`jwks` and `jwksUrl` are both given: leave one out")
  if (members.jwks !== undefined) {
    const keys = usableKeys(members.jwks)
    if (keys.length === 0) throw new Wrong("`jwks` holds no public key with a kid")
    return { kind: "set", keys }
  }
  const url = members.jwksUrl === undefined ? issuer : textOf(members, "jwksUrl")
  if (!["https:", "http:"].includes(URL.parse(url)?.protocol ?? ""))
    throw new Wrong("keys are found at an https URL: `jwksUrl`, or `issuer` itself")
  return members.jwksUrl === undefined ? { kind: "discovered" } : { kind: "url", url }
}

const USUAL_CLAIMS: ClaimNames = { subject: "sub", tenant: "tenant", roles: "roles", environment: "env" }

const claimsOf = ({ claims }: Members): ClaimNames => {
  if (claims === undefined) return USUAL_CLAIMS
  if (!isObject(claims)) throw new Wrong("`claims` is not an object")
  for (const name of Object.keys(claims))
    if (!Object.hasOwn(USUAL_CLAIMS, name)) throw new Wrong(`\`claims\` has no member \`${name}\``)
  const named = Object.keys(claims).map((name) => [name, textOf(claims, name)])
  return { ...USUAL_CLAIMS, ...Object.fromEntries(named) }
}

const tenantsOf = ({ tenants, platformAdmins }: Members): readonly TenantId[] | null => {
  if (tenants === undefined) return null
  if (platformAdmins === true) throw new Wrong("`tenants` and `platformAdmins` exclude each other")
  const slugs = Array.isArray(tenants)
    ? tenants.map((one) => (typeof one === "string" ? parseTenantId(one) : null))
    : []
  if (slugs.length === 0 || slugs.includes(null)) throw new Wrong("`tenants` is not a list of tenant ids")
  return slugs as TenantId[]
}

const flagOf = (members: Members, name: string): boolean => {
  const value = members[name] ?? false
  if (typeof value !== "boolean") throw new Wrong(`\`${name}\` is not true or false`)
  return value
}

const secondsOf = (members: Members, name: string, usual: number, least: number, most: number): number => {
  const value = members[name] ?? usual
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most)
    throw new Wrong(`\`${name}\` is not a whole number of seconds from ${least} to ${most}`)
  return value
}

const issuerOf = (value: unknown): JwtIssuer => {
  if (!isObject(value)) throw new Wrong("it is not an object")
  for (const name of Object.keys(value))
    if (!MEMBERS.has(name)) throw new Wrong(`there is no member \`${name}\``)
  const issuer = textOf(value, "issuer")
  if (issuer === OWN_ISSUER) throw new Wrong(`\`issuer\` is "${OWN_ISSUER}", which is the service's own`)
  return {
    name: nameOf(value, issuer),
    issuer,
    audience: textOf(value, "audience"),
    algorithms: algorithmsOf(value),
    keys: keysOf(value, issuer),
    claims: claimsOf(value),
    tenants: tenantsOf(value),
    platformAdmins: flagOf(value, "platformAdmins"),
    leewaySeconds: secondsOf(value, "leewaySeconds", LEEWAY_SECONDS, 0, LEEWAY_MAX_SECONDS),
    lifetimeMaxSeconds: secondsOf(value, "lifetimeMaxSeconds", DAY_SECONDS, 60, 30 * DAY_SECONDS),
  }
}

const PRIVATE_PARTS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]

/** Can a signature be checked with it? Whatever could also make one is none that an issuer shows. */
const isUsable = (key: unknown): key is JWK & { kid: string } =>
  isObject(key) &&
  ["RSA", "EC", "OKP"].includes(key.kty as string) &&
  typeof key.kid === "string" &&
  key.kid !== "" &&
  key.kid.length <= TEXT_MAX &&
  (key.use === undefined || key.use === "sig") &&
  (key.key_ops === undefined || (Array.isArray(key.key_ops) && key.key_ops.includes("verify"))) &&
  !PRIVATE_PARTS.some((part) => Object.hasOwn(key, part))

/** The keys of a JWK set that signatures can be checked with; none where it is no such set. */
export const usableKeys = (set: unknown): readonly (JWK & { kid: string })[] =>
  isObject(set) && Array.isArray(set.keys) ? set.keys.slice(0, KEYS_MAX).filter(isUsable) : []

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error("is not JSON; give a list like [{…}]")
  }
}

/** Reads the issuers out of their setting. Throws what is wrong with it, and with which of them. */
export const parseJwtIssuers = (text: string): readonly JwtIssuer[] => {
  const values = parsed(text)
  if (!Array.isArray(values) || values.length > ISSUERS_MAX)
    throw new Error(`is not a list of at most ${ISSUERS_MAX} issuers`)
  const issuers = values.map((value, index) => {
    try {
      return issuerOf(value)
    } catch (error) {
      if (error instanceof Wrong) throw new Error(`is wrong at issuer ${index + 1}: ${error.message}`)
      throw error
    }
  })
  for (const member of ["name", "issuer"] as const)
    if (new Set(issuers.map((one) => one[member])).size !== issuers.length)
      throw new Error(`names two issuers with the same \`${member}\``)
  return issuers
}
