import { Refusal } from "../../core/errors.ts"

// PostgreSQL has no year 0, and no offset of 16 hours: what it would choke on is refused here.
const INSTANT = /^((?!0000)\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-](0\d|1[0-5]):\d{2})$/

/** A time that is not in the future, as it was written. Throws AS_OF_INVALID. */
export const parseAsOf = (text: string, nowMs: number): string => {
  const match = INSTANT.exec(text)
  const at = match ? Date.parse(text) : Number.NaN
  // Date.parse takes 30 February for 1 March.
  const [, year, month, day] = match ?? []
  const exists = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day)
  if (Number.isNaN(at) || !exists)
    throw new Refusal("AS_OF_INVALID", `"${text.slice(0, 60)}" is not a time like 2026-01-31T12:00:00Z.`)
  if (at > nowMs) throw new Refusal("AS_OF_INVALID", `"${text}" is in the future.`)
  return text
}
