import type { FieldError } from "../../core/errors.ts"
import { parseTenantId, type TenantId } from "../../core/ids.ts"
import type { Json } from "../../core/json.ts"
import { EVENT_TYPES, type EventType, type TenantEvent } from "../../core/usage/event.ts"
import {
  bodyInvalid,
  type Field,
  type Fields,
  isObject,
  latencyUpTo,
  listIn,
  optional,
  wholeUpTo,
  wrongIn,
} from "./fields.ts"

const EVENTS_MAX = 500
const COUNT_MAX = 1_000_000
const DURATION_MS_MAX = 86_400_000
const ENTRIES_MAX = 200

/** Up to so many characters that can be seen, none of them a space: names and ids, nothing that somebody wrote. */
const word = (max: number): Field => ({
  test: (value) => typeof value === "string" && value.length <= max && /^[\x21-\x7e]+$/.test(value),
  wanted: `1 to ${max} visible ASCII characters without spaces`,
})
const oneOf = (...words: readonly string[]): Field => ({
  test: (value) => words.includes(value as string),
  wanted: `one of ${words.join(", ")}`,
})

const NAME = word(100)
const SOMEBODY: Field = {
  test: (value) => typeof value === "string" && value.length <= 200 && /^[^\p{Cc}\s][^\p{Cc}]*$/u.test(value),
  wanted: "1 to 200 characters, of which the first is no space",
}
const USER = optional(SOMEBODY)
const AMOUNT_CENTS = wholeUpTo(1_000_000_000_000)
const COUNT = wholeUpTo(COUNT_MAX)
const PATH: Field = {
  test: (value) => typeof value === "string" && value.startsWith("/") && word(200).test(value),
  wanted: "a path of at most 200 visible ASCII characters",
}
const METHOD: Field = {
  test: (value) => typeof value === "string" && /^[A-Z]{1,20}$/.test(value),
  wanted: "a method like GET",
}
const STATUS: Field = {
  test: (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 999,
  wanted: "a status from 100 to 999, or 0 where the caller left before there was one",
}
const DURATION_MS: Field = {
  test: (value) => typeof value === "number" && value >= 0 && value <= DURATION_MS_MAX,
  wanted: `milliseconds from 0 to ${DURATION_MS_MAX}`,
}
/** Of all that are counted together. */
const DURATIONS_MS: Field = {
  test: (value) => typeof value === "number" && value >= 0 && value <= DURATION_MS_MAX * COUNT_MAX,
  wanted: "milliseconds, of all of them together",
  optional: true,
}

const TIMED = { count: COUNT, durationMs: DURATIONS_MS, latency: latencyUpTo(COUNT_MAX) }

/** Lists that a `metrics` event may have, and what each entry has to be. */
const LISTS: Readonly<Record<string, Fields>> = {
  requests: { path: PATH, method: METHOD, status: STATUS, ...TIMED },
  commands: { command: NAME, status: NAME, ...TIMED },
  eligibilityChecks: { type: NAME, result: NAME, count: COUNT },
}

const DATA: Readonly<Record<Exclude<EventType, "metrics">, Fields>> = {
  user_login: { userId: SOMEBODY, method: optional(NAME) },
  order_created: { orderId: NAME, amountCents: AMOUNT_CENTS, userId: USER },
  payment_processed: { amountCents: AMOUNT_CENTS, method: NAME, orderId: optional(NAME), userId: USER },
  api_request: { path: PATH, method: METHOD, status: STATUS, durationMs: DURATION_MS, userId: USER },
  error: { type: NAME, source: optional(NAME), userId: USER },
  security_alert: {
    kind: NAME,
    severity: optional(oneOf("low", "medium", "high", "critical")),
    count: optional(COUNT),
    userId: USER,
  },
}

const wrongWithMetrics = (data: unknown, path: string): FieldError[] => {
  const lists = Object.fromEntries(
    Object.keys(LISTS).map((name): [string, Field] => [
      name,
      {
        test: (value) => Array.isArray(value) && value.length <= ENTRIES_MAX,
        wanted: `a list of at most ${ENTRIES_MAX}`,
        optional: true,
      },
    ]),
  )
  const wrong = wrongIn(data, path, lists)
  if (wrong.length > 0) return wrong
  return Object.entries(data as Record<string, unknown[]>).flatMap(([name, entries]) =>
    entries.flatMap((entry, nth) => {
      const place = `${path}/${name}/${nth}`
      const errors = wrongIn(entry, place, LISTS[name]!)
      return errors.length > 0 ? errors : wrongWithCount(entry as Counted, place)
    }),
  )
}

interface Counted {
  count: number
  latency?: readonly (readonly [number, number])[]
}

const wrongWithCount = ({ count, latency }: Counted, path: string): FieldError[] => {
  const timed = latency?.reduce((sum, [, many]) => sum + many, 0)
  return timed === undefined || timed === count
    ? []
    : [{ path: `${path}/latency`, message: `It adds up to the count, which is ${count}.` }]
}

/** From how long ago, and from how far ahead of our clock, an event may be. */
const AHEAD_MS = 300_000
const DAY_MS = 86_400_000
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/

const timeWithin = (nowMs: number, days: number): Field => ({
  test: (value) => {
    const atMs = typeof value === "string" && TIME.test(value) ? Date.parse(value) : Number.NaN
    return atMs >= nowMs - days * DAY_MS && atMs <= nowMs + AHEAD_MS
  },
  wanted: `a time like 2026-01-31T12:00:00Z, not in the future and at most ${days} days ago`,
  optional: true,
})

const TENANT: Field = {
  test: (value) => typeof value === "string" && parseTenantId(value) !== null,
  wanted: "a tenant's slug",
}
/** What the service itself tells is called so. */
const OWN = "hotswap/"
const ID: Field = {
  test: (value) => word(200).test(value) && !(value as string).startsWith(OWN),
  wanted: `1 to 200 visible ASCII characters without spaces, not beginning with ${OWN}`,
  optional: true,
}

/** How a body's events are read: by when it arrives, and what those without an id are called. */
export interface EventReading {
  nowMs: number
  /** No event is from longer ago. */
  days: number
  newId(): string
}

const wrongWithEvent = (event: unknown, path: string, fields: Fields): FieldError[] => {
  const wrong = wrongIn(event, path, fields)
  if (wrong.length > 0) return wrong
  const { type, data } = event as { type: EventType; data: unknown }
  return type === "metrics"
    ? wrongWithMetrics(data, `${path}/data`)
    : wrongIn(data, `${path}/data`, DATA[type])
}

interface Told {
  tenantId: TenantId
  type: EventType
  data: Record<string, Json>
  at?: string
  id?: string
}

const eventOf = ({ tenantId, type, data, at, id }: Told, { nowMs, newId }: EventReading): TenantEvent => {
  const { userId, ...rest } = data
  return {
    ...{ tenantId, type, data: rest },
    id: id ?? newId(),
    at: new Date(at === undefined ? nowMs : Date.parse(at)).toISOString(),
    userId: (userId as string | undefined) ?? null,
  } as TenantEvent
}

/** The events of a body. Throws BODY_INVALID, which names each place. */
export const eventsOf = (body: Json, reading: EventReading): readonly TenantEvent[] => {
  const fields: Fields = {
    tenantId: TENANT,
    type: oneOf(...EVENT_TYPES),
    data: { test: isObject, wanted: "an object" },
    at: timeWithin(reading.nowMs, reading.days),
    id: ID,
  }
  const told = listIn(body, "events", EVENTS_MAX, (event, path) =>
    wrongWithEvent(event, path, fields),
  ) as unknown as Told[]
  const events = told.map((one) => eventOf(one, reading))
  const ids = new Map<string, number>()
  for (const [nth, { tenantId, id }] of events.entries()) {
    const first = ids.get(`${tenantId} ${id}`)
    if (first !== undefined)
      throw bodyInvalid([{ path: `/events/${nth}/id`, message: `It is that of /events/${first}, too.` }])
    ids.set(`${tenantId} ${id}`, nth)
  }
  return events
}
