import type { TenantId } from "../ids.ts"
import type { TenantUsage, UsageBatch } from "./batch.ts"
import { emptyHistogram, type Histogram, observe } from "./histogram.ts"

/** So often an instance hands on what it counted; sooner where it counted much. */
export const HANDED_EVERY_MS = 5_000
const HANDED_AT = 2_000
/** Beyond so many kinds of things not handed on yet, nothing new is counted: nobody has taken them for long. */
const HELD_MAX = 50_000
/** Whoever has not heard what became of it by then will not. */
const GIVEN_UP_MS = 30_000
const MS = 1_000

/** One request about a tenant. */
export interface RequestSeen {
  tenantId: TenantId
  /** The path with `{name}` for each parameter. */
  route: string
  method: string
  status: number
  /** Who asked. */
  user: string
  durationMs: number
}

/** That so many of what is limited were asked for. */
export interface LimitAsked {
  environment: string
  action: string
  result: "allowed" | "refused"
  /** Which part of the limit is used then, and until when; `null`: it is none. */
  used: { ratio: number; untilMs: number } | null
}

/** Requests alike. */
interface Tally {
  seen: RequestSeen
  count: number
  durationMs: number
}

/** What is being counted of one tenant. */
interface Meter {
  requests: Map<string, Tally>
  /** Most requests are like the one before: then no name has to be made to find them by. */
  last: Tally | null
  durations: Histogram
  reads: { hits: number; misses: number; durations: Histogram } | null
  limits: Map<string, NonNullable<TenantUsage["limits"]>[number]>
  ratios: Map<string, NonNullable<TenantUsage["ratios"]>[number]>
  refused: number
}

const newMeter = (): Meter => ({
  requests: new Map(),
  last: null,
  durations: emptyHistogram(),
  reads: null,
  limits: new Map(),
  ratios: new Map(),
  refused: 0,
})

const usageOf = ({ requests, durations, reads, limits, ratios, refused }: Meter): TenantUsage => ({
  requests: [...requests.values()].map(({ count, durationMs, seen }) => [
    seen.route,
    seen.method,
    seen.status,
    seen.user,
    count,
    durationMs,
  ]),
  durations,
  ...(reads && { reads }),
  ...(limits.size > 0 && { limits: [...limits.values()] }),
  ...(ratios.size > 0 && { ratios: [...ratios.values()] }),
  refused,
})

const isAlike = (one: RequestSeen, other: RequestSeen): boolean =>
  one.status === other.status &&
  one.route === other.route &&
  one.method === other.method &&
  one.user === other.user

/** What one instance counts of tenants, and in which batches it hands that on: one at a time, each until it is known to be taken. */
export class UsageMeters {
  readonly #instance: string
  #meters = new Map<TenantId, Meter>()
  #held = 0
  #seq = 0
  /** Handed on until somebody has it: again, it is the same batch. */
  #handing: UsageBatch | null = null
  #isUnderWay = false
  #handedAtMs = Number.NEGATIVE_INFINITY

  /** `instance`: a UUID of this instance alone. */
  constructor(instance: string) {
    this.#instance = instance
  }

  request(seen: RequestSeen): void {
    const meter = this.#meterOf(seen.tenantId)
    const tally =
      meter.last !== null && isAlike(meter.last.seen, seen) ? meter.last : this.#tallyOf(meter, seen)
    if (tally !== null) {
      tally.count++
      tally.durationMs += seen.durationMs
    }
    meter.last = tally
    observe(meter.durations, seen.durationMs / MS)
  }

  #tallyOf({ requests }: Meter, seen: RequestSeen): Tally | null {
    const key = `${seen.status}${seen.method}${seen.route} ${seen.user}`
    const known = requests.get(key)
    if (known !== undefined || !this.#mayGrow()) return known ?? null
    const tally = { seen, count: 0, durationMs: 0 }
    requests.set(key, tally)
    return tally
  }

  /** A read of a tenant's configuration that took so long: was it in memory? */
  read(tenantId: TenantId, isHit: boolean, durationMs: number): void {
    const meter = this.#meterOf(tenantId)
    meter.reads ??= { hits: 0, misses: 0, durations: emptyHistogram() }
    meter.reads[isHit ? "hits" : "misses"]++
    observe(meter.reads.durations, durationMs / MS)
  }

  limit(tenantId: TenantId, { environment, action, result, used }: LimitAsked): void {
    const meter = this.#meterOf(tenantId)
    const place = `${environment} ${action}`
    const known = meter.limits.get(`${place} ${result}`)
    if (known !== undefined) known[3]++
    else if (this.#mayGrow()) meter.limits.set(`${place} ${result}`, [environment, action, result, 1])
    if (used !== null) meter.ratios.set(place, [environment, action, used.ratio, used.untilMs])
  }

  /** A request that was refused as nobody should make it. */
  refused(tenantId: TenantId): void {
    this.#meterOf(tenantId).refused++
  }

  /** Is it time to hand on? */
  isDue(nowMs: number): boolean {
    const sinceMs = nowMs - this.#handedAtMs
    if (this.#isUnderWay) return sinceMs >= GIVEN_UP_MS
    return this.#held >= HANDED_AT || sinceMs >= HANDED_EVERY_MS
  }

  /** What to hand on now; `null`: nothing. */
  begin(nowMs: number): UsageBatch | null {
    this.#handedAtMs = nowMs
    this.#handing ??= this.#taken(nowMs)
    this.#isUnderWay = this.#handing !== null
    return this.#handing
  }

  /** What became of it: was it taken for certain? */
  ended(batch: UsageBatch, isTaken: boolean): void {
    if (batch !== this.#handing) return
    this.#isUnderWay = false
    if (isTaken) this.#handing = null
  }

  #taken(nowMs: number): UsageBatch | null {
    if (this.#meters.size === 0) return null
    const tenants = Object.fromEntries(
      [...this.#meters].map(([tenantId, meter]) => [tenantId, usageOf(meter)]),
    )
    this.#meters = new Map()
    this.#held = 0
    return { instance: this.#instance, seq: ++this.#seq, atMs: nowMs, tenants }
  }

  #meterOf(tenantId: TenantId): Meter {
    const known = this.#meters.get(tenantId)
    if (known !== undefined) return known
    const meter = newMeter()
    this.#meters.set(tenantId, meter)
    this.#held++
    return meter
  }

  #mayGrow(): boolean {
    if (this.#held >= HELD_MAX) return false
    this.#held++
    return true
  }
}
