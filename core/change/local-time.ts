const MINUTE = 60_000
const DAY = 86_400_000

/** Milliseconds since the epoch that a clock on the wall would be at if it stood in UTC. */
export type LocalMs = number

/** What clocks on the wall show in one time zone of the IANA. */
export interface ZoneClock {
  localOf(ms: number): LocalMs
  /** The first instant at which the wall's clock shows this time or a later one. */
  firstAt(local: LocalMs): number
  /** The first instant from which on it never again shows an earlier one. */
  lastBefore(local: LocalMs): number
}

const OFFSET = /^GMT(?:([+-])(\d{2}):(\d{2})(?::(\d{2}))?)?$/

/** Does Intl know the zone by this name? Offsets, such as `+02:00`, are no zones: they do not know of summer. */
export const isTimeZone = (name: string): boolean => {
  if (!/^[A-Za-z]/.test(name)) return false
  try {
    formatFor(name)
    return true
  } catch {
    return false
  }
}

const formatFor = (timeZone: string): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" })

/** Throws a RangeError for a zone that is none. Remembers each day's offset: make one for a question, not for ever. */
export const zoneClock = (timeZone: string): ZoneClock => {
  const format = formatFor(timeZone)
  const ofDays = new Map<number, number>()

  const readOffset = (ms: number): number => {
    const name = format.formatToParts(ms).find(({ type }) => type === "timeZoneName")?.value ?? ""
    const match = OFFSET.exec(name)
    if (!match) throw new Error(`"${name}" is no offset`)
    const [, sign, hours = "0", minutes = "0", seconds = "0"] = match
    const size = (Number(hours) * 60 + Number(minutes)) * MINUTE + Number(seconds) * 1_000
    return sign === "-" ? -size : size
  }
  const offsetOfDay = (day: number): number => {
    const known = ofDays.get(day)
    if (known !== undefined) return known
    const offset = readOffset(day * DAY)
    ofDays.set(day, offset)
    return offset
  }
  /** Clocks are never put forward and back within one day. */
  const offsetAt = (ms: number): number => {
    const day = Math.floor(ms / DAY)
    const offset = offsetOfDay(day)
    return offset === offsetOfDay(day + 1) ? offset : readOffset(ms)
  }

  /** When clocks were changed between two days that differ in their offset. */
  const changeBetween = (early: number, late: number): number => {
    const before = offsetAt(early)
    let from = early
    let until = late
    while (until - from > 1) {
      const middle = Math.floor((from + until) / 2)
      if (offsetAt(middle) === before) from = middle
      else until = middle
    }
    return until
  }

  /** The instants at which the clock shows `local` if it is as before a change nearby, and as after it. */
  const around = (local: LocalMs) => {
    const early = local - DAY
    const late = local + DAY
    const before = local - offsetAt(early)
    const after = local - offsetAt(late)
    return { before, after, change: before === after ? null : changeBetween(early, late) }
  }

  return {
    localOf: (ms) => ms + offsetAt(ms),
    firstAt(local) {
      const { before, after, change } = around(local)
      return change === null || before < change ? before : Math.max(change, after)
    },
    lastBefore(local) {
      const { before, after, change } = around(local)
      if (change === null || after > change) return after
      return Math.min(before, change)
    },
  }
}
