import type { Layer, Tier } from "../ids.ts"
import type { Json } from "../json.ts"
import { featureOf } from "./entitlement.ts"
import { actionOf, type Limit, limitOf, quotaOf, UNLIMITED } from "./limit.ts"
import { builtInFeatures, builtInLimits } from "./tiers.ts"

/** Who says it: the tier's defaults, a layer's config, the tenant's own record, or a feature that lifts a limit. */
export type Source = "default" | Layer | "record" | "feature"

/** A config as the layers come to together: its value, the layer it is from, and whether that has it locked. */
export interface Said {
  value: Json
  layer: Layer
  locked: boolean
}

export interface LimitInForce {
  limit: Limit
  source: Source
  locked: boolean
}
export interface FeatureInForce {
  enabled: boolean
  source: Source
  locked: boolean
}

/** What there is to say of one tenant in one environment. */
export interface Grants {
  tier: Tier
  /** Limits and features of the layers, merged. */
  configs: ReadonlyMap<string, Said>
  /** The tenant's own record of features. */
  features: Readonly<Record<string, unknown>>
  /** And of quotas, by action. */
  quotas: Readonly<Record<string, Json>>
}

/** Which of two counts that say something of the same matter: the nearer, but a lock before all. */
const RANK: Readonly<Record<Source, number>> = {
  default: 0,
  platform: 1,
  tier: 2,
  tenant: 3,
  record: 4,
  feature: 5,
}
const LOCKED = 6
const rankOf = ({ source, locked }: { source: Source; locked: boolean }): number =>
  locked ? LOCKED : RANK[source]

/**
 * What features a tenant has: its tier's, then what configs `feature.<name>` say, then its own record; what a layer
 * has locked stays as it is. Configs whose value is neither true nor false are no features.
 */
export const featuresInForce = ({ tier, configs, features }: Grants): Map<string, FeatureInForce> => {
  const found = new Map<string, FeatureInForce>()
  const say = (name: string, enabled: unknown, source: Source, locked = false): void => {
    if (typeof enabled !== "boolean" || found.get(name)?.locked) return
    found.set(name, { enabled, source, locked })
  }
  for (const [name, enabled] of builtInFeatures(tier)) say(name, enabled, "default")
  for (const [key, { value, layer, locked }] of configs) {
    const name = featureOf(key)
    if (name !== null) say(name, value, layer, locked)
  }
  for (const [name, enabled] of Object.entries(features)) say(name, enabled, "record")
  return found
}

const COMMAND = "command"
const UNLIMITED_COMMANDS = "unlimitedCommands"

/**
 * What limits a tenant has: its tier's, then what configs `limit.<action>` say, then its own record of quotas; what a layer
 * has locked stays as it is. The feature `unlimitedCommands` lifts
 * the limit of `command`, unless somebody nearer than who grants the feature says a limit, or has it locked.
 */
export const limitsInForce = (grants: Grants): Map<string, LimitInForce> => {
  const found = new Map<string, LimitInForce>()
  for (const [action, limit] of builtInLimits(grants.tier))
    found.set(action, { limit, source: "default", locked: false })
  for (const [key, { value, layer, locked }] of grants.configs) {
    const action = actionOf(key)
    const limit = action === null ? null : limitOf(key, value)
    if (action !== null && limit !== null) found.set(action, { limit, source: layer, locked })
  }
  for (const [action, quota] of Object.entries(grants.quotas)) {
    const before = found.get(action)
    const limit = quotaOf(action, quota, before?.limit ?? null)
    if (limit !== null && !before?.locked) found.set(action, { limit, source: "record", locked: false })
  }
  const lifted = featuresInForce(grants).get(UNLIMITED_COMMANDS)
  const command = found.get(COMMAND)
  if (lifted?.enabled && command && command.limit.max !== UNLIMITED && rankOf(lifted) >= rankOf(command))
    found.set(COMMAND, {
      limit: { ...command.limit, max: UNLIMITED },
      source: "feature",
      locked: lifted.locked,
    })
  return found
}
