import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { type KeptArchive, type RetentionRule, superfluous } from "../../../core/backup/retention.ts"

const NOW_MS = Date.parse("2026-11-21T12:00:00Z")
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

const archive = (ms: number, more: Partial<KeptArchive> = {}): KeptArchive => ({
  backupId: `b${String(ms).padStart(16, "0")}`,
  at: new Date(ms).toISOString(),
  verified: false,
  broken: false,
  held: false,
  inUse: false,
  ...more,
})

const ids = (archives: readonly KeptArchive[]) => archives.map(({ backupId }) => backupId)
const keptOf = (archives: readonly KeptArchive[], rule: RetentionRule, nowMs = NOW_MS) => {
  const gone = new Set(ids(superfluous(archives, rule, nowMs)))
  return archives.filter(({ backupId }) => !gone.has(backupId))
}

const rules = fc.record({
  keepLast: fc.integer({ min: 1, max: 8 }),
  keepDaily: fc.integer({ min: 0, max: 8 }),
  keepWeekly: fc.integer({ min: 0, max: 5 }),
  keepMonthly: fc.integer({ min: 0, max: 4 }),
})
/** With gaps, several at one instant, and some of a time to come. */
const fleets = fc.array(
  fc
    .record({
      minutes: fc.oneof(fc.integer({ min: -3_000, max: 6_000 }), fc.integer({ min: -3_000, max: 400_000 })),
      nth: fc.integer({ min: 0, max: 1_000_000 }),
      verified: fc.boolean(),
      broken: fc.boolean(),
      held: fc.integer({ min: 0, max: 9 }),
      inUse: fc.integer({ min: 0, max: 9 }),
    })
    .map(({ minutes, nth, verified, broken, held, inUse }) => ({
      ...archive(NOW_MS - minutes * 60_000, { verified, broken, held: held === 0, inUse: inUse === 0 }),
      backupId: `${minutes}-${nth}`,
    })),
  { maxLength: 60 },
)
const unique = (archives: KeptArchive[]) => [...new Map(archives.map((one) => [one.backupId, one])).values()]
const fleet = fleets.map(unique)
const check = (property: fc.IProperty<never>) => fc.assert(property as never, { seed: 6, numRuns: 500 })
const isPast = ({ at }: KeptArchive) => Date.parse(at) <= NOW_MS
const latest = (archives: readonly KeptArchive[]) =>
  archives.reduce<number>((ms, { at }) => Math.max(ms, Date.parse(at)), Number.NEGATIVE_INFINITY)

describe("whatever there is and whatever the rule", () => {
  test("what is held, in use, or of a time to come stays; so does the last one, the last whole one and the last verified one", () => {
    check(
      fc.property(fleet, rules, (archives, rule) => {
        const kept = keptOf(archives, rule)
        for (const one of archives) if (one.held || one.inUse || !isPast(one)) expect(kept).toContain(one)
        for (const is of [
          () => true,
          (one: KeptArchive) => !one.broken,
          (one: KeptArchive) => one.verified && !one.broken,
        ]) {
          const some = archives.filter((one) => isPast(one) && is(one))
          if (some.length > 0) expect(latest(kept.filter((one) => isPast(one) && is(one)))).toBe(latest(some))
        }
      }) as never,
    )
  })

  test("there are never fewer whole ones left than the rule says, if there were that many", () => {
    check(
      fc.property(fleet, rules, (archives, rule) => {
        const whole = (list: readonly KeptArchive[]) =>
          list.filter((one) => isPast(one) && !one.broken).length
        expect(whole(keptOf(archives, rule))).toBeGreaterThanOrEqual(Math.min(rule.keepLast, whole(archives)))
      }) as never,
    )
  })

  test("applied again it takes nothing more, and the order of the list does not matter", () => {
    check(
      fc.property(fleet, rules, fc.integer(), (archives, rule, seed) => {
        const kept = keptOf(archives, rule)
        expect(superfluous(kept, rule, NOW_MS)).toEqual([])
        const shuffled = [...archives].sort((one, other) => {
          const keyed = (text: string) =>
            [...text].reduce((sum, c) => (sum * 31 + c.charCodeAt(0) + seed) | 0, 7)
          return keyed(one.backupId) - keyed(other.backupId)
        })
        expect(superfluous(shuffled, rule, NOW_MS)).toEqual(superfluous(archives, rule, NOW_MS))
      }) as never,
    )
  })

  test("who keeps more loses nothing by it", () => {
    check(
      fc.property(fleet, rules, rules, (archives, rule, more) => {
        const greater = Object.fromEntries(
          Object.entries(rule).map(([field, count]) => [field, count + more[field as keyof RetentionRule]]),
        ) as unknown as RetentionRule
        expect(ids(keptOf(archives, greater))).toEqual(expect.arrayContaining(ids(keptOf(archives, rule))))
      }) as never,
    )
  })

  test("applied after each new one or only at the end, the same is left", () => {
    check(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: 100_000 }), { maxLength: 80 }),
        rules,
        (minutes, rule) => {
          const arriving = minutes
            .sort((one, other) => other - one)
            .map((ago) => archive(NOW_MS - ago * 60_000))
          let kept: KeptArchive[] = []
          for (const one of arriving) kept = keptOf([...kept, one], rule, Date.parse(one.at))
          expect(ids(kept)).toEqual(ids(keptOf(arriving, rule)))
        },
      ) as never,
    )
  })
})

const ENTERPRISE = { keepLast: 24, keepDaily: 30, keepWeekly: 12, keepMonthly: 12 }

test("of three years of hourly ones the last day's are left, and one of each day, week and month", () => {
  const archives = Array.from({ length: 3 * 365 * 24 }, (_, nth) => archive(NOW_MS - nth * HOUR_MS))
  const kept = keptOf(archives, ENTERPRISE)
  expect(kept.length).toBeGreaterThanOrEqual(24 + 28 + 7 + 8)
  expect(kept.length).toBeLessThanOrEqual(24 + 30 + 12 + 12)
  expect(Date.parse(kept.at(-1)!.at)).toBeLessThan(NOW_MS - 320 * DAY_MS)
})

test("a gap of a year takes nothing away: days without an archive do not count", () => {
  const before = Array.from({ length: 10 }, (_, nth) => archive(NOW_MS - (400 + nth) * DAY_MS))
  expect(superfluous(before, { keepLast: 1, keepDaily: 10, keepWeekly: 0, keepMonthly: 0 }, NOW_MS)).toEqual(
    [],
  )
})

test("after the clock had been wrong by years, archives of that time take no place of true ones", () => {
  const wrong = Array.from({ length: 5 }, (_, nth) => archive(NOW_MS + (900 + nth) * DAY_MS))
  const since = Array.from({ length: 5 }, (_, nth) => archive(NOW_MS - nth * HOUR_MS))
  const rule = { keepLast: 5, keepDaily: 0, keepWeekly: 0, keepMonthly: 0 }
  expect(superfluous([...wrong, ...since], rule, NOW_MS)).toEqual([])
})

test("while a location is away, what is missing there is not given up", () => {
  const archives = Array.from({ length: 5 }, (_, nth) => archive(NOW_MS - nth * HOUR_MS, { broken: true }))
  const rule = { keepLast: 5, keepDaily: 0, keepWeekly: 0, keepMonthly: 0 }
  expect(superfluous(archives, rule, NOW_MS)).toEqual([])
})
