import type { Tier } from "../ids.ts"
import { type Limit, UNLIMITED } from "./limit.ts"

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** What the service counts by itself: requests to its own routes that manage. */
export const MANAGEMENT = "management"

/** The windows of what is limited without anybody's saying so. */
const WINDOWS_MS = { command: MINUTE, eligibility_check: HOUR, sync_request: DAY, [MANAGEMENT]: MINUTE }
type BuiltIn = keyof typeof WINDOWS_MS

const MAXIMA: Readonly<Record<Tier, Readonly<Record<BuiltIn, number>>>> = {
  Free: { command: 10, eligibility_check: 100, sync_request: 1, [MANAGEMENT]: 6_000 },
  Pro: { command: 100, eligibility_check: 1_000, sync_request: 10, [MANAGEMENT]: 60_000 },
  Enterprise: {
    command: UNLIMITED,
    eligibility_check: UNLIMITED,
    sync_request: UNLIMITED,
    [MANAGEMENT]: UNLIMITED,
  },
}

/** What a tenant of the tier may where no config says otherwise, by action. */
export const builtInLimits = (tier: Tier): ReadonlyMap<string, Limit> =>
  new Map(
    Object.entries(MAXIMA[tier]).map(([action, max]) => [
      action,
      { max, windowMs: WINDOWS_MS[action as BuiltIn] },
    ]),
  )

/** What a tier brings besides limits. */
export const TIER_FEATURES = [
  "customBranding",
  "advancedAnalytics",
  "prioritySupport",
  "unlimitedCommands",
] as const

const BROUGHT: Readonly<Record<Tier, readonly string[]>> = {
  Free: [],
  Pro: ["customBranding", "advancedAnalytics"],
  Enterprise: TIER_FEATURES,
}

/** Which of {@link TIER_FEATURES} a tenant of the tier has where nobody says otherwise. */
export const builtInFeatures = (tier: Tier): ReadonlyMap<string, boolean> =>
  new Map(TIER_FEATURES.map((name) => [name, BROUGHT[tier].includes(name)]))
