import { sha256Hex } from "../hash.ts"
import type { TenantId } from "../ids.ts"
import type { TenantUsage } from "./batch.ts"
import { type EventType, isExcluded, type TenantEvent, type ToldMetrics, templateOf } from "./event.ts"
import { addHistogram, emptyHistogram, type Histogram, observe } from "./histogram.ts"
import type { TenantMetric } from "./metrics.ts"

/** Statistics are kept by so long. */
export const SLOT_MS = 600_000
const MS = 1_000
const USER_KEY_DIGITS = 32
const FAILED = 500

/** What of one kind happened to a tenant within a slot of time. */
export interface SlotSum {
  tenantId: TenantId
  slot: string
  kind: EventType
  count: number
  failed: number
  amountCents: number
  durationMs: number
}

/** Requests alike within a UTC day. */
export interface RequestSum {
  tenantId: TenantId
  day: string
  route: string
  method: string
  status: number
  userId: string
  count: number
  durationMs: number
}

export interface MetricSum {
  tenantId: TenantId
  metric: TenantMetric
  labels: readonly string[]
  value: number
  buckets: number[] | null
  /** Of a gauge: what it is worth until then. */
  untilMs: number | null
  /** An application chose the labels, so there may be any number. */
  isTold: boolean
}

/** That somebody was there on a UTC day, by a digest of their name. */
export interface UserSeen {
  tenantId: TenantId
  day: string
  userKey: string
}

/** What events and requests come to, to be added to what is kept. */
export interface Sums {
  slots: ReadonlyMap<string, SlotSum>
  requests: ReadonlyMap<string, RequestSum>
  metrics: ReadonlyMap<string, MetricSum>
  users: ReadonlyMap<string, UserSeen>
}

/** Of one tenant's user: apart from any other's of that name. 32 hex digits. */
export const userKeyOf = (tenantId: TenantId, userId: string): string =>
  sha256Hex(`${tenantId}\n${userId}`).slice(0, USER_KEY_DIGITS)

const slotOf = (atMs: number): string => new Date(Math.floor(atMs / SLOT_MS) * SLOT_MS).toISOString()
const dayOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10)

type Spot = Pick<SlotSum, "tenantId"> & { atMs: number }
type Amounts = Partial<Pick<SlotSum, "count" | "failed" | "amountCents" | "durationMs">>

/** Adds up. Nothing of it is kept until it is written. */
export class Summing implements Sums {
  readonly slots = new Map<string, SlotSum>()
  readonly requests = new Map<string, RequestSum>()
  readonly metrics = new Map<string, MetricSum>()
  readonly users = new Map<string, UserSeen>()

  /** What an instance of a function counted of a tenant. */
  addUsage(tenantId: TenantId, usage: TenantUsage, atMs: number): void {
    const spot = { tenantId, atMs }
    for (const [route, method, status, user, count, durationMs] of usage.requests) {
      this.#request(spot, { route, method, status, userId: user, count, durationMs })
      this.#count(tenantId, "requests_total", ["service", route, method, String(status)], count)
      if (status >= FAILED) this.#count(tenantId, "errors_total", [`http_${status}`], count)
    }
    this.#spread(tenantId, "request_duration_seconds", ["service"], usage.durations)
    const { reads, limits = [], ratios = [] } = usage
    if (reads) {
      this.#count(tenantId, "cache_requests_total", ["hit"], reads.hits)
      this.#count(tenantId, "cache_requests_total", ["miss"], reads.misses)
      this.#spread(tenantId, "retrieval_duration_seconds", [], reads.durations)
    }
    for (const [environment, action, result, count] of limits)
      this.#count(tenantId, "rate_limit_requests_total", [environment, action, result], count, true)
    for (const [environment, action, ratio, untilMs] of ratios) {
      const sum = this.#metric(tenantId, "rate_limit_usage_ratio", [environment, action], true)
      Object.assign(sum, { value: ratio, untilMs })
    }
  }

  /** An event that was kept. */
  addEvent(event: TenantEvent): void {
    const { tenantId, type, userId } = event
    const atMs = Date.parse(event.at)
    const spot = { tenantId, atMs }
    if (userId !== null) {
      const seen = { tenantId, day: dayOf(atMs), userKey: userKeyOf(tenantId, userId) }
      this.users.set(`${tenantId} ${seen.day} ${seen.userKey}`, seen)
    }
    switch (type) {
      case "user_login":
        this.#slot(spot, type, {})
        this.#count(tenantId, "logins_total", [], 1)
        break
      case "order_created":
        this.#slot(spot, type, { amountCents: event.data.amountCents })
        this.#count(tenantId, "orders_total", [], 1)
        this.#count(tenantId, "order_amount_cents_total", [], event.data.amountCents)
        break
      case "payment_processed": {
        const { amountCents, method } = event.data
        this.#slot(spot, type, { amountCents })
        this.#count(tenantId, "payments_total", [method], 1, true)
        this.#count(tenantId, "payment_amount_cents_total", [method], amountCents, true)
        break
      }
      case "api_request":
        this.#told(spot, { ...event.data, count: 1 }, userId ?? "")
        break
      case "error":
        this.#slot(spot, type, {})
        this.#count(tenantId, "errors_total", [event.data.type], 1, true)
        break
      case "security_alert":
        this.#slot(spot, type, {})
        this.#count(tenantId, "security_alerts_total", [event.data.kind], 1, true)
        break
      case "metrics":
        this.#toldMetrics(spot, event.data)
        break
    }
  }

  #toldMetrics(spot: Spot, { requests = [], commands = [], eligibilityChecks = [] }: ToldMetrics): void {
    const { tenantId } = spot
    for (const request of requests) this.#told(spot, request, "")
    for (const { command, status, ...timed } of commands) {
      this.#count(tenantId, "commands_total", [command, status], timed.count, true)
      this.#spread(tenantId, "command_duration_seconds", [command], histogramOf(timed), true)
    }
    for (const { type, result, count } of eligibilityChecks)
      this.#count(tenantId, "eligibility_checks_total", [type, result], count, true)
  }

  #told(spot: Spot, request: NonNullable<ToldMetrics["requests"]>[number], userId: string): void {
    if (isExcluded(request.path)) return
    const { method, status, count, durationMs = 0 } = request
    const route = templateOf(request.path)
    this.#request(spot, { route, method, status, userId, count, durationMs })
    const labels = ["application", route, method, String(status)]
    this.#count(spot.tenantId, "requests_total", labels, count, true)
    this.#spread(spot.tenantId, "request_duration_seconds", ["application"], histogramOf(request))
  }

  #request(spot: Spot, request: Omit<RequestSum, "tenantId" | "day">): void {
    const { route, method, status, userId, count, durationMs } = request
    this.#slot(spot, "api_request", { count, failed: status >= FAILED ? count : 0, durationMs })
    const day = dayOf(spot.atMs)
    const key = [spot.tenantId, day, route, method, status, userId].join("\n")
    const sum = this.requests.get(key)
    if (sum === undefined) this.requests.set(key, { tenantId: spot.tenantId, day, ...request })
    else {
      sum.count += count
      sum.durationMs += durationMs
    }
  }

  #slot({ tenantId, atMs }: Spot, kind: EventType, amounts: Amounts): void {
    const slot = slotOf(atMs)
    const key = `${tenantId} ${slot} ${kind}`
    const sum = this.slots.get(key) ?? newSlot(tenantId, slot, kind)
    sum.count += amounts.count ?? 1
    sum.failed += amounts.failed ?? 0
    sum.amountCents += amounts.amountCents ?? 0
    sum.durationMs += amounts.durationMs ?? 0
    this.slots.set(key, sum)
  }

  #count(
    tenantId: TenantId,
    metric: TenantMetric,
    labels: readonly string[],
    many: number,
    isTold = false,
  ): void {
    if (many !== 0) this.#metric(tenantId, metric, labels, isTold).value += many
  }

  #spread(
    tenantId: TenantId,
    metric: TenantMetric,
    labels: readonly string[],
    more: Histogram | null,
    isTold = false,
  ): void {
    if (more === null || more.buckets.every((many) => many === 0)) return
    const sum = this.#metric(tenantId, metric, labels, isTold)
    const all = { buckets: sum.buckets ?? emptyHistogram().buckets, sumSeconds: sum.value }
    addHistogram(all, more)
    sum.buckets = all.buckets
    sum.value = all.sumSeconds
  }

  #metric(tenantId: TenantId, metric: TenantMetric, labels: readonly string[], isTold: boolean): MetricSum {
    const key = metricKey(tenantId, metric, labels)
    const known = this.metrics.get(key)
    if (known !== undefined) return known
    const sum = { tenantId, metric, labels, value: 0, buckets: null, untilMs: null, isTold }
    this.metrics.set(key, sum)
    return sum
  }
}

const newSlot = (tenantId: TenantId, slot: string, kind: EventType): SlotSum => ({
  tenantId,
  slot,
  kind,
  count: 0,
  failed: 0,
  amountCents: 0,
  durationMs: 0,
})

/** Names a series: of two that are alike there is one. */
export const metricKey = (owner: string, metric: TenantMetric, labels: readonly string[]): string =>
  JSON.stringify([owner, metric, ...labels])

/** By what was told of it: by latencies, else by one duration alone; `null` where nothing says how long it took. */
const histogramOf = ({
  count,
  durationMs,
  latency,
}: {
  count: number
  durationMs?: number
  latency?: readonly (readonly [number, number])[]
}): Histogram | null => {
  const histogram = emptyHistogram()
  if (latency === undefined) {
    if (durationMs === undefined || count !== 1) return null
    observe(histogram, durationMs / MS)
    return histogram
  }
  for (const [upToMs, many] of latency) observe(histogram, upToMs / MS, many)
  // The bounds say into which bucket each belongs; how long they took together is told apart.
  if (durationMs !== undefined) histogram.sumSeconds = durationMs / MS
  return histogram
}
