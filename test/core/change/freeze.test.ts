import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { freezeAt } from "../../../core/change/freeze.ts"
import type { FreezeWindow, Weekday } from "../../../core/change/policy.ts"
import { freezeCases, spansByPostgres } from "./freezes.ts"

const iso = (ms: number): string => new Date(ms).toISOString()
const once = (from: string, until: string, timeZone = "Europe/Berlin"): FreezeWindow => ({
  name: "holidays",
  timeZone,
  from,
  until,
})
const weekly = (days: Weekday[], from: string, until: string, timeZone = "Europe/Berlin"): FreezeWindow => ({
  name: "nights",
  timeZone,
  days,
  from,
  until,
})
const every: Weekday[] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]

describe("a window that is there once", () => {
  test("is in force from its first minute and before its last, by the clocks of its zone", () => {
    const windows = [once("2026-12-24T18:00", "2027-01-02T06:00")]
    expect(freezeAt(windows, "2026-12-24T16:59:59.999Z")).toBeNull()
    const frozen = { name: "holidays", until: "2027-01-02T05:00:00.000Z" }
    expect(freezeAt(windows, "2026-12-24T17:00:00.000Z")).toEqual(frozen)
    expect(freezeAt(windows, "2027-01-02T04:59:59.999Z")).toEqual(frozen)
    expect(freezeAt(windows, "2027-01-02T05:00:00.000Z")).toBeNull()
    expect(freezeAt([], "2026-12-24T18:00:00.000Z")).toBeNull()
  })

  test("begins when clocks are put forward past its beginning, and is nothing where they skip it whole", () => {
    // 02:00 to 03:00 was not there on 2026-03-29.
    const windows = [once("2026-03-29T02:30", "2026-03-29T05:00")]
    expect(freezeAt(windows, "2026-03-29T00:59:59.999Z")).toBeNull()
    expect(freezeAt(windows, "2026-03-29T01:00:00.000Z")?.until).toBe("2026-03-29T03:00:00.000Z")
    const skipped = [once("2026-03-29T02:10", "2026-03-29T02:50")]
    for (const at of ["2026-03-29T00:30:00.000Z", "2026-03-29T01:00:00.000Z", "2026-03-29T01:30:00.000Z"])
      expect(freezeAt(skipped, at)).toBeNull()
  })

  test("holds an hour both times where clocks are put back", () => {
    // 02:00 to 03:00 was there twice on 2026-10-25: from 00:00 and from 01:00 UTC.
    const windows = [once("2026-10-25T02:30", "2026-10-25T02:45")]
    expect(freezeAt(windows, "2026-10-25T00:29:59.999Z")).toBeNull()
    expect(freezeAt(windows, "2026-10-25T00:30:00.000Z")?.until).toBe("2026-10-25T01:45:00.000Z")
    expect(freezeAt(windows, "2026-10-25T01:10:00.000Z")?.until).toBe("2026-10-25T01:45:00.000Z")
    expect(freezeAt(windows, "2026-10-25T01:45:00.000Z")).toBeNull()
  })
})

describe("a window of every week", () => {
  test("reaches into the next day where it does not end later than it begins", () => {
    const windows = [weekly(["Fri"], "18:00", "06:00")]
    // 2026-11-20 was a Friday.
    expect(freezeAt(windows, "2026-11-20T16:59:00.000Z")).toBeNull()
    for (const at of ["2026-11-20T17:00:00.000Z", "2026-11-21T04:59:00.000Z"])
      expect(freezeAt(windows, at)).toEqual({ name: "nights", until: "2026-11-21T05:00:00.000Z" })
    expect(freezeAt(windows, "2026-11-21T17:00:00.000Z")).toBeNull()
  })

  test("holds a minute of a day that was left again, where clocks are put back after midnight", () => {
    // On 2006-10-29 it was 00:01 in St John's, and then 23:01 of the day before.
    const windows = [weekly(["Sun"], "00:00", "00:30", "America/St_Johns")]
    expect(freezeAt(windows, "2006-10-29T02:29:59.999Z")).toBeNull()
    for (const at of ["2006-10-29T02:30:00.000Z", "2006-10-29T02:45:00.000Z", "2006-10-29T03:45:00.000Z"])
      expect(freezeAt(windows, at)?.until).toBe("2006-10-29T04:00:00.000Z")
  })

  test("ends a day with 24:00, and runs on where the next day begins with one", () => {
    expect(freezeAt([weekly(["Sat"], "00:00", "24:00", "UTC")], "2026-11-21T12:00:00.000Z")?.until).toBe(
      "2026-11-22T00:00:00.000Z",
    )
    const weekend = [
      weekly(["Fri"], "18:00", "24:00", "UTC"),
      weekly(["Sat", "Sun"], "00:00", "24:00", "UTC"),
    ]
    expect(freezeAt(weekend, "2026-11-20T19:00:00.000Z")?.until).toBe("2026-11-23T00:00:00.000Z")
  })

  test("that never ends is told to end a year from now, to be looked at again", () => {
    for (const until of ["24:00", "00:00"]) {
      const frozen = freezeAt([weekly(every, "00:00", until)], "2026-11-21T12:00:00.000Z")
      const days = (Date.parse(frozen!.until) - Date.parse("2026-11-21T12:00:00.000Z")) / 86_400_000
      expect(days).toBeGreaterThanOrEqual(365)
      expect(days).toBeLessThan(368)
    }
  })
})

test("the instant told is the first at which no window is in force, of however many in a row", () => {
  // Quarters of an hour of UTC are counted one by one: a peer too simple to be wrong.
  const quarter = 900_000
  const monday = Date.parse("2026-11-16T00:00:00Z")
  const time = (quarters: number): string =>
    `${String(Math.floor(quarters / 4)).padStart(2, "0")}:${String((quarters % 4) * 15).padStart(2, "0")}`
  const window = fc.record({
    day: fc.nat(6),
    from: fc.nat(95),
    until: fc.integer({ min: 1, max: 96 }),
  })
  fc.assert(
    fc.property(fc.array(window, { maxLength: 12 }), fc.nat(7 * 96 - 1), (given, now) => {
      const windows = given.map(({ day, from, until }) =>
        weekly([every[day]!], time(from), time(until), "UTC"),
      )
      const isActive = (at: number): boolean =>
        given.some(({ day, from, until }) => {
          const length = until > from ? until - from : until - from + 96
          const since = (((at - day * 96 - from) % 672) + 672) % 672
          return since < length
        })
      let end = now
      while (isActive(end) && end < now + 400 * 96) end++
      const frozen = freezeAt(windows, iso(monday + now * quarter))
      if (end === now) expect(frozen).toBeNull()
      else expect(frozen?.until).toBe(iso(monday + end * quarter))
    }),
    { seed: 20261121, numRuns: 2_000 },
  )
})

test("around every change of clocks, windows are where PostgreSQL sees their local times", async () => {
  const cases = freezeCases(250)
  const spans = await spansByPostgres(cases)
  let empty = 0
  for (const [index, { timeZone, from, until, weekday }] of cases.entries()) {
    const span = spans[index]!
    const single = [once(from, until, timeZone)]
    const repeated = [weekly([weekday], from.slice(11), until.slice(11), timeZone)]
    for (const windows of [single, repeated]) {
      const words = JSON.stringify(windows)
      if (span === null) {
        empty++
        for (
          let at = Date.parse(`${from}Z`) - 86_400_000;
          at < Date.parse(`${from}Z`) + 86_400_000;
          at += 600_000
        )
          expect(freezeAt(windows, iso(at)), `${words} at ${iso(at)}`).toBeNull()
        continue
      }
      const { fromMs, untilMs } = span
      expect(freezeAt(windows, iso(fromMs - 1)), words).toBeNull()
      for (const at of [fromMs, Math.floor((fromMs + untilMs) / 2), untilMs - 1])
        expect(freezeAt(windows, iso(at))?.until, `${words} at ${iso(at)}`).toBe(iso(untilMs))
      expect(freezeAt(windows, iso(untilMs)), words).toBeNull()
    }
  }
  // The peer must have had something to say about windows that clocks skip.
  expect(empty).toBeGreaterThan(0)
})
