import { expect, test } from "vitest"
import {
  beyondTier,
  nextDueMs,
  retryMs,
  scheduleInForce,
  TIER_SCHEDULES,
} from "../../../core/backup/schedule.ts"
import { parseTenantId, type ScopeId } from "../../../core/ids.ts"

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
const scopes = Array.from({ length: 100_000 }, (_, nth) => parseTenantId(`tenant-${nth}`) as ScopeId)
const NOW_MS = Date.parse("2026-11-21T12:34:56Z")

const most = (times: readonly number[], slotMs: number): number => {
  const slots = new Map<number, number>()
  for (const ms of times) slots.set(Math.floor(ms / slotMs), (slots.get(Math.floor(ms / slotMs)) ?? 0) + 1)
  return Math.max(...slots.values())
}

test.each([1, 6, 24])(
  "100,000 tenants backed up every %i hours are spread evenly over them",
  (everyHours) => {
    const due = scopes.map((scope) => nextDueMs(scope, everyHours, NOW_MS))
    expect(Math.min(...due)).toBeGreaterThan(NOW_MS)
    expect(Math.max(...due)).toBeLessThanOrEqual(NOW_MS + everyHours * HOUR_MS)
    const fair = scopes.length / (everyHours * 60)
    // Six deviations of what chance alone makes of it.
    expect(most(due, MINUTE_MS)).toBeLessThan(fair + 6 * Math.sqrt(fair) + 1)
  },
)

test("a tenant is due once in each period, at the same point of it", () => {
  const first = nextDueMs(scopes[0]!, 6, NOW_MS)
  expect(nextDueMs(scopes[0]!, 6, first)).toBe(first + 6 * HOUR_MS)
  expect(nextDueMs(scopes[0]!, 6, first - 1)).toBe(first)
})

test("however long an outage was, one backup is due for it, and the next ones are spread again", () => {
  const backMs = NOW_MS + 1_000 * HOUR_MS
  const due = scopes.map((scope) => nextDueMs(scope, 24, backMs))
  expect(Math.max(...due)).toBeLessThanOrEqual(backMs + 24 * HOUR_MS)
  expect(most(due, MINUTE_MS)).toBeLessThan(130)
})

test("after failures it is tried again later and later, never later than it would be due, and not all at once", () => {
  const waits = [1, 2, 3, 4, 5, 50].map((failures) => retryMs(scopes[7]!, 8_760, failures, NOW_MS) - NOW_MS)
  expect(waits).toEqual([...waits].sort((one, other) => one - other))
  expect(waits[0]).toBeGreaterThanOrEqual(5 * MINUTE_MS)
  expect(waits.at(-1)).toBeLessThanOrEqual(9 * HOUR_MS)
  for (const scope of scopes.slice(0, 1_000))
    for (const failures of [1, 4, 9])
      expect(retryMs(scope, 1, failures, NOW_MS)).toBeLessThanOrEqual(nextDueMs(scope, 1, NOW_MS))
  expect(
    new Set(scopes.slice(0, 1_000).map((scope) => retryMs(scope, 8_760, 3, NOW_MS))).size,
  ).toBeGreaterThan(990)
})

test("what a tenant does not say is its tier's; the platform and the tiers are backed up every hour", () => {
  expect(scheduleInForce("Pro", null)).toEqual({ ...TIER_SCHEDULES.Pro, paused: false })
  expect(scheduleInForce(null, null).everyHours).toBe(1)
  const own = { everyHours: 12, keepLast: null, keepDaily: 3, keepWeekly: null, keepMonthly: 0, paused: true }
  expect(scheduleInForce("Pro", own)).toEqual({
    everyHours: 12,
    keepLast: 5,
    keepDaily: 3,
    keepWeekly: 8,
    keepMonthly: 0,
    paused: true,
  })
})

test("more often, or more kept, than the tier brings is told apart from less", () => {
  const pro = scheduleInForce("Pro", null)
  expect(beyondTier("Pro", pro)).toEqual([])
  expect(beyondTier("Pro", { ...pro, everyHours: 24, keepLast: 1, keepMonthly: 0, paused: true })).toEqual([])
  expect(beyondTier("Pro", { ...pro, everyHours: 5 })).toEqual(["everyHours"])
  expect(beyondTier("Pro", { ...pro, keepLast: 6, keepMonthly: 4 })).toEqual(["keepLast", "keepMonthly"])
})
