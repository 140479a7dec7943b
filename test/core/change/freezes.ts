import fc from "fast-check"
import postgres from "postgres"
import type { Weekday } from "../../../core/change/policy.ts"
import { freshDatabase } from "../../support/postgres.ts"

const DAY = 86_400_000
const DATE_DAYS: readonly Weekday[] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]

/** Half hours, two hours, midnight, south, east, west, none at all: zones whose rules have long stood. */
const ZONES = [
  "Europe/Berlin",
  "America/New_York",
  "America/St_Johns",
  "America/Havana",
  "Atlantic/Azores",
  "Africa/Cairo",
  "Asia/Kolkata",
  "Asia/Beirut",
  "Australia/Lord_Howe",
  "Pacific/Chatham",
  "Pacific/Kiritimati",
  "Antarctica/Troll",
  "America/Santiago",
  "UTC",
]

/** A window of at most a day, in local times, and the weekday it begins on. */
interface FreezeCase {
  timeZone: string
  from: string
  until: string
  weekday: Weekday
}

/** What the wall's clock shows, put together from its parts: not the way the rules read it. */
const localOf = (timeZone: string, ms: number): number => {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  }).formatToParts(ms)
  const of = (type: string): number => Number(parts.find((part) => part.type === type)?.value)
  return Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute"), of("second"))
}

/** The local midnights near which clocks were changed in two years; where they never are, one of any day. */
const daysOf = (timeZone: string): number[] => {
  const days: number[] = []
  for (let day = Date.UTC(2025, 0, 1); day < Date.UTC(2027, 0, 1); day += DAY)
    if (localOf(timeZone, day + DAY) - localOf(timeZone, day) !== DAY)
      days.push(Math.floor(localOf(timeZone, day) / DAY) * DAY)
  return days.length > 0 ? days : [Date.UTC(2026, 5, 15)]
}

const minute = fc.nat(1_439).map((at) => at - (at % 5))
const shape = fc.record({
  dayOffset: fc.constantFrom(-1, 0, 0, 0, 1),
  // Most clocks are changed in the small hours.
  from: fc.oneof(fc.nat(240), minute),
  length: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 1_440 })),
})

/** So many windows around changes of clocks, always the same. */
export const freezeCases = (count: number): FreezeCase[] => {
  const near = ZONES.flatMap((timeZone) => daysOf(timeZone).map((day) => ({ timeZone, day })))
  return fc.sample(shape, { seed: 20261121, numRuns: count }).map(({ dayOffset, from, length }, index) => {
    const { timeZone, day } = near[index % near.length]!
    const fromMs = day + dayOffset * DAY + from * 60_000
    const local = (ms: number): string => new Date(ms).toISOString().slice(0, 16)
    return {
      timeZone,
      from: local(fromMs),
      until: local(fromMs + length * 60_000),
      weekday: DATE_DAYS[new Date(fromMs).getUTCDay()]!,
    }
  })
}

/** From the first minute at which PostgreSQL has the zone's clock within the window to the last; `null`: none. */
export const spansByPostgres = async (
  cases: readonly FreezeCase[],
): Promise<({ fromMs: number; untilMs: number } | null)[]> => {
  const { url, drop } = await freshDatabase()
  const sql = postgres(url("hotswap_read"), { max: 1, fetch_types: false })
  try {
    const rows = await sql<{ first: string | null; last: string | null }[]>`
      select extract(epoch from min(t)) * 1000 as first, extract(epoch from max(t)) * 1000 as last
      from rows from (json_to_recordset(${JSON.stringify(cases)}::text::json)
          as ("timeZone" text, "from" timestamp, "until" timestamp)) with ordinality
          as c ("timeZone", "from", "until", place)
        left join lateral (
          select t from generate_series(
            (c."from" - interval '16 hours') at time zone 'UTC',
            (c."until" + interval '16 hours') at time zone 'UTC', interval '1 minute') t
          where t at time zone c."timeZone" >= c."from" and t at time zone c."timeZone" < c."until"
        ) within on true
      group by place order by place`
    return rows.map(({ first, last }) =>
      first === null ? null : { fromMs: Number(first), untilMs: Number(last) + 60_000 },
    )
  } finally {
    await sql.end()
    await drop()
  }
}
