import type { Instant } from "../change/change.ts"
import type { TenantId } from "../ids.ts"

/** What happened at a tenant, as applications tell it. `metrics`: counts of many things at once. */
export const EVENT_TYPES = [
  "user_login",
  "order_created",
  "payment_processed",
  "api_request",
  "error",
  "security_alert",
  "metrics",
] as const
export type EventType = (typeof EVENT_TYPES)[number]

/** Counted and timed. `latency`: pairs of an upper bound in milliseconds, above the one before, and how many. */
interface Timed {
  count: number
  /** Of all of them together. */
  durationMs?: number
  latency?: readonly (readonly [upToMs: number, count: number])[]
}

export interface ToldMetrics {
  requests?: readonly (Timed & { path: string; method: string; status: number })[]
  commands?: readonly (Timed & { command: string; status: string })[]
  eligibilityChecks?: readonly { type: string; result: string; count: number }[]
}

/** What an event says besides, without who it was about. */
export type EventData =
  | { type: "user_login"; data: { method?: string } }
  | { type: "order_created"; data: { orderId: string; amountCents: number } }
  | { type: "payment_processed"; data: { amountCents: number; method: string; orderId?: string } }
  | { type: "api_request"; data: { path: string; method: string; status: number; durationMs: number } }
  | { type: "error"; data: { type: string; source?: string } }
  | { type: "security_alert"; data: { kind: string; severity?: string; count?: number } }
  | { type: "metrics"; data: ToldMetrics }

export type TenantEvent = EventData & {
  tenantId: TenantId
  /** The same again is the same event. */
  id: string
  at: Instant
  userId: string | null
}

const EXCLUDED = /^\/(?:health|metrics|assets)(?:\/|$)/
const VARIABLE = /^(?:\d+|[0-9a-f]{16,}|[0-9a-f]{8}-[0-9a-f-]{27}|[A-Za-z]*_?[0-9A-HJKMNP-TV-Z]{26})$/i

/** Looks after the process rather than serving anybody: not a request of a tenant's. */
export const isExcluded = (path: string): boolean => EXCLUDED.test(path)

/** The path with `{id}` for each part that is a number, a UUID, a ULID or a digest: of those there is no end. */
export const templateOf = (path: string): string =>
  path
    .split("?", 1)[0]!
    .split("/")
    .map((part) => (VARIABLE.test(part) ? "{id}" : part))
    .join("/")
