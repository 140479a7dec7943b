import type { Frozen, Instant } from "./change.ts"
import { type LocalMs, type ZoneClock, zoneClock } from "./local-time.ts"
import type { FreezeWindow, Weekday } from "./policy.ts"

const MINUTE = 60_000
const DAY = 86_400_000
/** So far is looked for the end of windows that follow each other. */
const HORIZON_MS = 366 * DAY
/** And so often, for windows made to follow each other endlessly in an order that takes long. */
const LOOKS_MAX = 500

/** In the order in which Date counts them. */
const DATE_DAYS: readonly Weekday[] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]

/** A window as instants: from the first, before the second. */
interface Span {
  fromMs: number
  untilMs: number
}

/**
 * The freeze in force, or `null`. `until` is the first instant at which no window is active; windows that never end
 * tell an instant a year from now, at which to look again. A window lasts from the first moment at which the wall's
 * clock shows its beginning to the last before it shows its end: an hour that is there twice is frozen both times.
 */
export const freezeAt = (windows: readonly FreezeWindow[], now: Instant): Frozen | null => {
  const clocks = new Map<string, ZoneClock>()
  const clockOf = (timeZone: string): ZoneClock => {
    const clock = clocks.get(timeZone) ?? zoneClock(timeZone)
    clocks.set(timeZone, clock)
    return clock
  }
  /** When the window lets go, if it is in force at that instant. */
  const endOf = (window: FreezeWindow, ms: number): number | null =>
    spansNear(window, clockOf(window.timeZone), ms).reduce<number | null>(
      (end, { fromMs, untilMs }) => (fromMs <= ms && ms < untilMs ? Math.max(end ?? 0, untilMs) : end),
      null,
    )
  const nowMs = Date.parse(now)
  const ends = windows.map((window) => endOf(window, nowMs) ?? 0)
  const first = Math.max(0, ...ends)
  if (first === 0) return null
  const horizonMs = nowMs + HORIZON_MS
  let untilMs = first
  // Each window is followed as far as it goes, until a look at all of them finds none in force.
  for (let looks = 0, before = 0; before !== untilMs && looks < LOOKS_MAX; looks++) {
    before = untilMs
    for (const window of windows)
      for (
        let end = endOf(window, untilMs);
        end !== null && untilMs < horizonMs;
        end = endOf(window, untilMs)
      )
        untilMs = end
  }
  return { name: windows[ends.indexOf(first)]!.name, until: new Date(untilMs).toISOString() }
}

/** The times of a window that may hold the instant. */
const spansNear = (window: FreezeWindow, clock: ZoneClock, ms: number): Span[] => {
  if (!("days" in window)) return [spanOf(clock, localMs(window.from), localMs(window.until))]
  const from = timeOfDayMs(window.from)
  const until = timeOfDayMs(window.until)
  const length = until > from ? until - from : until - from + DAY
  const today = Math.floor(clock.localOf(ms) / DAY) * DAY
  // One that began yesterday may last; one of tomorrow may have begun before the clocks were put back.
  return [today - DAY, today, today + DAY].flatMap((day) =>
    window.days.includes(DATE_DAYS[new Date(day).getUTCDay()]!)
      ? [spanOf(clock, day + from, day + from + length)]
      : [],
  )
}

const spanOf = (clock: ZoneClock, from: LocalMs, until: LocalMs): Span => ({
  fromMs: clock.firstAt(from),
  untilMs: clock.lastBefore(until),
})

const localMs = (text: string): LocalMs => Date.parse(`${text}Z`)

const timeOfDayMs = (text: string): number => {
  const [hours, minutes] = text.split(":").map(Number) as [number, number]
  return (hours * 60 + minutes) * MINUTE
}
