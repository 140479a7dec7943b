import type { Change, Edit } from "../change/change.ts"
import { type FieldError, Refusal } from "../errors.ts"
import { type ConfigKey, isTenant, type ScopeId } from "../ids.ts"
import { checkLimit, isLimitKey } from "./limit.ts"
import { TIER_FEATURES } from "./tiers.ts"

const FEATURE = "feature."

/** The feature that the config of this key switches; `null`: it is no feature's. */
export const featureOf = (key: string): string | null =>
  key.startsWith(FEATURE) ? key.slice(FEATURE.length) : null

const isTierFeature = (key: string): boolean =>
  (TIER_FEATURES as readonly (string | null)[]).includes(featureOf(key))

/**
 * Does this config say what the platform grants a tenant: a limit, or a feature that tiers bring? On a tenant's own
 * scope only the platform's admins write it, or a tenant would grant itself.
 */
export const isEntitlement = (key: string): boolean => isLimitKey(key) || isTierFeature(key)

/** Holds limits and tier features to what they are, in any scope. Throws Refusal LIMIT_INVALID, FEATURE_INVALID. */
export const checkEntitlements = (edits: readonly Edit[]): void => {
  for (const { key, value } of edits) {
    if (value === undefined) continue
    if (isLimitKey(key)) checkLimit(key, value)
    if (isTierFeature(key) && typeof value !== "boolean")
      throw new Refusal("FEATURE_INVALID", `"${key}" is what a tier brings or not: true or false.`)
  }
}

/**
 * Does the change alter what the platform grants a tenant? Rolling other changes back leaves it in force. It holds
 * nothing else, so that it is never half rolled back.
 */
export const isGrant = ({ content }: Pick<Change, "content">): boolean =>
  isTenant(content.scope) && content.edits.some(({ key }) => isEntitlement(key))

/** The keys of {@link isGrant} changes. */
export const grantedKeys = (changes: readonly Change[]): ConfigKey[] =>
  changes.filter(isGrant).flatMap(({ content }) => content.edits.map(({ key }) => key))

const forbidden = (keys: readonly string[]): Refusal =>
  new Refusal("FORBIDDEN", `Only platform admins say what a tenant is granted: ${keys.join(", ")}.`)

/**
 * Who may change what a tenant is granted, and how: platform admins, by itself. Throws Refusal FORBIDDEN, or
 * ENTITLEMENT_MIXED naming what is none.
 */
export const checkGrant = (scope: ScopeId, edits: readonly { key: ConfigKey }[], mayGrant: boolean): void => {
  if (!isTenant(scope)) return
  const keys = edits.map(({ key }) => key).filter(isEntitlement)
  if (keys.length === 0) return
  if (!mayGrant) throw forbidden(keys)
  const others = edits.filter(({ key }) => !isEntitlement(key))
  if (others.length > 0)
    throw new Refusal("ENTITLEMENT_MIXED", "What a tenant is granted is changed by itself.", {
      errors: others.map(({ key }): FieldError => ({ path: key, message: "is for another change" })),
    })
}
