import { parseTenantId, type TenantId } from "../ids.ts"
import { DURATION_BOUNDS, type Histogram } from "./histogram.ts"

/** Requests alike: template of the path, method, status and who asked; how many, and how long together. */
export type RequestCount = [
  route: string,
  method: string,
  status: number,
  user: string,
  count: number,
  durationMs: number,
]

/** What one instance of a function counted of one tenant. */
export interface TenantUsage {
  requests: RequestCount[]
  durations: Histogram
  /** Reads of the configuration: answered from memory, and not. */
  reads?: { hits: number; misses: number; durations: Histogram }
  limits?: [environment: string, action: string, result: "allowed" | "refused", count: number][]
  ratios?: [environment: string, action: string, ratio: number, untilMs: number][]
  /** Requests that were refused as nobody should make them. */
  refused: number
}

/** What one instance counted since the batch before: of one number nothing counts twice. */
export interface UsageBatch {
  /** A UUID, made anew by each process. */
  instance: string
  seq: number
  atMs: number
  tenants: Readonly<Record<TenantId, TenantUsage>>
}

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/
const CHARACTERS_MAX = 1_000
/** The last moment that a `Date` can tell. */
const LAST_MS = 8_640_000_000_000_000

type Check = (value: unknown) => boolean
const isText: Check = (value) =>
  typeof value === "string" && value.length <= CHARACTERS_MAX && !value.includes("\0") && value.isWellFormed()
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const isAmount: Check = (value) => Number.isFinite(value) && (value as number) >= 0
const isTime: Check = (value) => isAmount(value) && (value as number) <= LAST_MS
const isListOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check)
const isTuple =
  (...checks: readonly Check[]): Check =>
  (value) =>
    Array.isArray(value) && value.length === checks.length && checks.every((check, nth) => check(value[nth]))
const isObject =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) =>
    typeof value === "object" &&
    value !== null &&
    Object.entries(checks).every(([name, check]) => check((value as Record<string, unknown>)[name]))
const optionally =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)

const isHistogram = isObject({
  buckets: (value) => isListOf(isCount)(value) && (value as unknown[]).length === DURATION_BOUNDS.length + 1,
  sumSeconds: isAmount,
})
const isUsage = isObject({
  requests: isListOf(isTuple(isText, isText, isCount, isText, isCount, isAmount)),
  durations: isHistogram,
  reads: optionally(isObject({ hits: isCount, misses: isCount, durations: isHistogram })),
  limits: optionally(isListOf(isTuple(isText, isText, isText, isCount))),
  ratios: optionally(isListOf(isTuple(isText, isText, isAmount, isTime))),
  refused: isCount,
})
const isTenants: Check = (value) =>
  typeof value === "object" &&
  value !== null &&
  Object.entries(value).every(([name, usage]) => parseTenantId(name) !== null && isUsage(usage))

/** Is it a batch, whoever made it? One that is none would be in everybody's way where all are added up. */
export const isUsageBatch = (value: unknown): value is UsageBatch =>
  isObject({
    instance: (text) => typeof text === "string" && UUID.test(text),
    seq: isCount,
    atMs: isTime,
    tenants: isTenants,
  })(value)
