/** PostgreSQL's `2026-11-21 08:40:05.09+00`, in JSON `2026-11-21T08:40:05.09+00:00`, as `2026-11-21T08:40:05.090000Z`. */
export const toInstant = (value: string): string => {
  const match = /^(\d{4,}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00(?::00)?$/.exec(value)
  // The connection sets its time zone to UTC, so anything else is no time at all.
  if (!match) throw new Error(`not a time in UTC: ${value}`)
  return `${match[1]}T${match[2]}.${(match[3] ?? "").padEnd(6, "0")}Z`
}
