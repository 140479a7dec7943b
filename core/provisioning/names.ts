import { sha256Hex } from "../hash.ts"
import { type TenantId, TIERS, type Tier } from "../ids.ts"

/** Whose documents, and where they go. */
export interface Place {
  tenantId: TenantId
  tier: Tier
  namespace: string
  /** Nobody else's is there. */
  isOwn: boolean
}

/** Found on all that is made for a tenant, pods among it. */
export const TENANT_LABEL = "hotswap.dev/tenant"

const HASH_DIGITS = 16
/** Ends as only shortened names may: so no tenant's own id is ever what another's was shortened to. */
const LOOKS_SHORTENED = new RegExp(`-[0-9a-f]{${HASH_DIGITS}}$`)

const shortened = (tenantId: TenantId, charactersMax: number): string =>
  tenantId.length <= charactersMax && !LOOKS_SHORTENED.test(tenantId)
    ? tenantId
    : hashed(tenantId, charactersMax)

const hashed = (tenantId: TenantId, charactersMax: number): string =>
  `${tenantId.slice(0, charactersMax - HASH_DIGITS - 1)}-${sha256Hex(tenantId).slice(0, HASH_DIGITS)}`

const NAMESPACE_CHARACTERS_MAX = 63
const PREFIX = "hotswap-"

/** The namespace that the tenants of a tier share. */
export const sharedNamespace = (tier: Tier): string => PREFIX + tier.toLowerCase()

const TAKEN = new Set(TIERS.map(sharedNamespace))

/** A namespace for one tenant, which no other tenant's and no tier's is ever called. */
export const ownNamespace = (tenantId: TenantId): string => {
  const room = NAMESPACE_CHARACTERS_MAX - PREFIX.length
  const plain = PREFIX + shortened(tenantId, room)
  return TAKEN.has(plain) ? PREFIX + hashed(tenantId, room) : plain
}

/**
 * So short that the longest name made of it, a StatefulSet's of 52 characters, still leaves room for the hash that Kubernetes
 * puts behind it in a label.
 */
const NAME_CHARACTERS_MAX = 28

/** What the names of all that is a tenant's begin with. A service's has to begin with a letter, and an id need not. */
export const nameOf = (tenantId: TenantId): string => `t-${shortened(tenantId, NAME_CHARACTERS_MAX)}`

const WORD_HEX_DIGITS = 8

/**
 * Whose data it is at a backend that tenants share: 64 bits of the id's hash, as two numbers of 32. Nobody finds a second id to
 * another's numbers, and what people number by hand is not near them.
 */
export const tenancyOf = (tenantId: TenantId): { accountId: number; projectId: number } => {
  const digits = sha256Hex(`hotswap tenancy ${tenantId}`)
  const word = (nth: number): number =>
    Number.parseInt(digits.slice(nth * WORD_HEX_DIGITS, (nth + 1) * WORD_HEX_DIGITS), 16)
  return { accountId: word(0), projectId: word(1) }
}
