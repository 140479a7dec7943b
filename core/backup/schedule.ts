import type { Instant } from "../change/change.ts"
import { sha256Hex } from "../hash.ts"
import type { ScopeId, Tier } from "../ids.ts"
import type { RetentionRule } from "./retention.ts"

/** How often a scope is backed up, and what is kept of that. */
export interface BackupSchedule extends RetentionRule {
  everyHours: number
  paused: boolean
}

/** What a scope says for itself; where a field is null its tier's default holds. */
export type OwnSchedule = { readonly [Field in keyof RetentionRule]: number | null } & {
  everyHours: number | null
  paused: boolean
}

const KEEP_LAST_DEFAULT = 5
export const EVERY_HOURS_MAX = 8_760
export const KEEP_MAX = 1_000

const HOURLY = { everyHours: 1, keepLast: 24, keepDaily: 30, keepWeekly: 12, keepMonthly: 12 }

export const TIER_SCHEDULES: Readonly<Record<Tier, Omit<BackupSchedule, "paused">>> = {
  Free: { everyHours: 24, keepLast: KEEP_LAST_DEFAULT, keepDaily: 7, keepWeekly: 0, keepMonthly: 0 },
  Pro: { everyHours: 6, keepLast: KEEP_LAST_DEFAULT, keepDaily: 14, keepWeekly: 8, keepMonthly: 3 },
  Enterprise: HOURLY,
}

/** The platform and the tiers, which every tenant rests on, have no tier themselves. */
const defaultsOf = (tier: Tier | null): Omit<BackupSchedule, "paused"> =>
  tier === null ? HOURLY : TIER_SCHEDULES[tier]

/** What holds for a scope: its own word where it has one, its tier's where not. */
export const scheduleInForce = (tier: Tier | null, own: OwnSchedule | null): BackupSchedule => {
  const defaults = defaultsOf(tier)
  return {
    everyHours: own?.everyHours ?? defaults.everyHours,
    keepLast: own?.keepLast ?? defaults.keepLast,
    keepDaily: own?.keepDaily ?? defaults.keepDaily,
    keepWeekly: own?.keepWeekly ?? defaults.keepWeekly,
    keepMonthly: own?.keepMonthly ?? defaults.keepMonthly,
    paused: own?.paused ?? false,
  }
}

/** Each tier's period in hours, and under `""` that of the platform and the tiers themselves. */
export const schedulePeriods = (): Record<string, number> => ({
  "": HOURLY.everyHours,
  ...Object.fromEntries(Object.entries(TIER_SCHEDULES).map(([tier, { everyHours }]) => [tier, everyHours])),
})

const FIELDS = ["keepLast", "keepDaily", "keepWeekly", "keepMonthly"] as const

/**
 * The fields by which a schedule asks for more than the tier brings: more often, or more kept. Those are the platform's to
 * give; whatever is within, a tenant may say for itself.
 */
export const beyondTier = (tier: Tier | null, wanted: BackupSchedule): (keyof BackupSchedule)[] => {
  const most = defaultsOf(tier)
  return [
    ...(wanted.everyHours < most.everyHours ? (["everyHours"] as const) : []),
    ...FIELDS.filter((field) => wanted[field] > most[field]),
  ]
}

const HOUR_MS = 3_600_000

/** From 0 to 1, evenly spread over scopes, and always the same for one. */
const shareOf = (scope: ScopeId): number =>
  Number.parseInt(sha256Hex(`backup ${scope}`).slice(0, 12), 16) / 2 ** 48

/**
 * The next time a scope is due after `afterMs`. Each has its own point within the period, from its name, so that as many are
 * due in any minute as in any other. However many were missed, only the next one is due: after an outage each is
 * backed up once, and is then at its own point again.
 */
export const nextDueMs = (scope: ScopeId, everyHours: number, afterMs: number): number => {
  const periodMs = everyHours * HOUR_MS
  const pointMs = Math.floor(shareOf(scope) * periodMs)
  return (Math.floor((afterMs - pointMs) / periodMs) + 1) * periodMs + pointMs
}

const RETRY_FIRST_MS = 5 * 60_000
const RETRY_MAX_MS = 6 * HOUR_MS

/**
 * When a scope is tried again after so many failures in a row: in 5 minutes, in 10, and so on up to 6 hours, each up to
 * half as long again by its name, so that those who failed together do not come back together; and never later than
 * they would be due anyway.
 */
export const retryMs = (scope: ScopeId, everyHours: number, failures: number, nowMs: number): number => {
  const waitMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(failures - 1, 20))
  const spreadMs = Math.floor(waitMs * (1 + shareOf(scope) / 2))
  return Math.min(nowMs + spreadMs, nextDueMs(scope, everyHours, nowMs))
}

export const instantOf = (ms: number): Instant => new Date(ms).toISOString()
