import type { Instant } from "../change/change.ts"

/** How many archives are kept: the last ones, and of each of so many days, weeks and months that have any the last. */
export interface RetentionRule {
  keepLast: number
  keepDaily: number
  keepWeekly: number
  keepMonthly: number
}

/** One complete archive, as far as it matters here. */
export interface KeptArchive {
  backupId: string
  at: Instant
  /** All of it was read once and found whole. */
  verified: boolean
  /** When it was looked at last, it was whole at none of its locations. */
  broken: boolean
  /** Somebody said that it stays. */
  held: boolean
  /** A job that is not over reads it. */
  inUse: boolean
}

const DAY_MS = 86_400_000
/** 1 January 1970 was a Thursday; weeks begin on Monday, UTC. */
const MONDAY = 3

const dayOf = (ms: number): number => Math.floor(ms / DAY_MS)
const weekOf = (ms: number): number => Math.floor((dayOf(ms) + MONDAY) / 7)
const monthOf = (ms: number): number => {
  const date = new Date(ms)
  return date.getUTCFullYear() * 12 + date.getUTCMonth()
}

interface Timed extends KeptArchive {
  ms: number
}

/** The later first; at the same instant the one whose id is greater, so that there is one order whatever the list's was. */
const laterFirst = (one: Timed, other: Timed): number =>
  other.ms - one.ms || (one.backupId < other.backupId ? 1 : one.backupId > other.backupId ? -1 : 0)

/** The last of each of so many periods that have any. Periods without one do not count, so gaps cost nothing. */
const lastOfEach = (
  archives: readonly Timed[],
  periods: number,
  periodOf: (ms: number) => number,
): Timed[] => {
  const found = new Map<number, Timed>()
  for (const archive of archives) {
    const period = periodOf(archive.ms)
    if (found.has(period)) continue
    if (found.size >= periods) break
    found.set(period, archive)
  }
  return [...found.values()]
}

const keptByRule = (archives: readonly Timed[], rule: RetentionRule): Timed[] => [
  ...archives.slice(0, Math.max(1, rule.keepLast)),
  ...lastOfEach(archives, rule.keepDaily, dayOf),
  ...lastOfEach(archives, rule.keepWeekly, weekOf),
  ...lastOfEach(archives, rule.keepMonthly, monthOf),
]

/**
 * Which of a scope's complete archives may go, oldest first. Never the last one, the last that was found whole, one that is held
 * or in use. One of a time to come (the clock was put back) stays and takes no other's place; one that is broken takes
 * no place of a whole one, but is not given up for that alone: the location may be back tomorrow.
 */
export const superfluous = (
  archives: readonly KeptArchive[],
  rule: RetentionRule,
  nowMs: number,
): KeptArchive[] => {
  const all = archives.map((archive) => ({ ...archive, ms: Date.parse(archive.at) })).sort(laterFirst)
  const past = all.filter(({ ms }) => ms <= nowMs)
  const whole = past.filter(({ broken }) => !broken)
  const verified = whole.find((archive) => archive.verified)
  const kept = new Set(
    [
      ...all.filter(({ ms, held, inUse }) => ms > nowMs || held || inUse),
      ...keptByRule(past, rule),
      ...keptByRule(whole, rule),
      ...(verified ? [verified] : []),
    ].map(({ backupId }) => backupId),
  )
  return all
    .filter(({ backupId }) => !kept.has(backupId))
    .reverse()
    .map(({ ms: _ms, ...archive }) => archive)
}
