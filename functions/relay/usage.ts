import { type ScopeId, type TenantId, tierScope } from "../../core/ids.ts"
import type { UsageBatch } from "../../core/usage/batch.ts"
import { countRefusals } from "../../core/usage/burst.ts"
import { OTHERS, type TenantMetric, typeOfMetric } from "../../core/usage/metrics.ts"
import { type MetricSum, metricKey, Summing } from "../../core/usage/sums.ts"
import type { Database } from "../../db/client.ts"
import type { Connection } from "../../db/connection.ts"
import { measureStorage } from "../../db/queries/usage.ts"
import {
  addEvent,
  addMetrics,
  addRequests,
  addSlots,
  addUsers,
  countedSeqs,
  countingAlone,
  countLabelled,
  keepMeasured,
  keepMetered,
  keepSeqs,
  knownSeries,
  type Metered,
  type MetricRow,
  markCounted,
  meteredTenants,
  uncountedEvents,
  unmeasuredTenants,
} from "../../db/system-usage.ts"
import { CacheUnavailable } from "../platform/breaker.ts"
import type { Clock } from "../platform/clock.ts"
import type { Log } from "../platform/log.ts"
import type { UsageInbox } from "../platform/usage-inbox.ts"

export interface UsageDeps {
  system: Database
  /** As the role that sees one tenant at a time; absent: nobody's storage is measured. */
  db: Database | undefined
  inbox: UsageInbox | undefined
  clock: Clock
  log: Log
  /** So many tenants have metrics under their own name. */
  metricTenants: number
}

type Db = Connection["db"]

const EVENTS_MAX = 2_000
const BATCHES_MAX = 200
/** Before others have their turn. */
const ROUNDS_MAX = 20
/** Series of a tenant whose labels applications choose; what is beyond goes to one that has `~other` for each. */
export const SERIES_MAX = 200
/** Of those that may have a label, Free tenants take half at the most: most are Free, and the others are watched. */
const FREE_SHARE = 0.5

/** Each batch once, though it may come again: one that is counted has a number that was counted. */
const uncountedBatches = async (db: Db, batches: readonly UsageBatch[]): Promise<UsageBatch[]> => {
  const instances = [...new Set(batches.map(({ instance }) => instance))]
  if (instances.length === 0) return []
  const seqs = await countedSeqs(db, instances)
  const fresh: UsageBatch[] = []
  for (const batch of batches.toSorted((one, other) => one.seq - other.seq))
    if (batch.seq > (seqs.get(batch.instance) ?? 0)) {
      fresh.push(batch)
      seqs.set(batch.instance, batch.seq)
    }
  await keepSeqs(db, seqs)
  return fresh
}

const refusedIn = (batches: readonly UsageBatch[]): Map<TenantId, number> => {
  const refused = new Map<TenantId, number>()
  for (const { tenants } of batches)
    for (const [name, usage] of Object.entries(tenants)) {
      const tenantId = name as TenantId
      if (usage.refused > 0) refused.set(tenantId, (refused.get(tenantId) ?? 0) + usage.refused)
    }
  return refused
}

/** Tells of each burst once, as an event that is counted like all others. */
const watchRefusals = async (
  db: Db,
  metered: Map<TenantId, Metered>,
  refused: ReadonlyMap<TenantId, number>,
  now: Date,
): Promise<void> => {
  for (const [tenantId, many] of refused) {
    const meter = metered.get(tenantId)
    if (!meter) continue
    const before =
      meter.windowAt === null
        ? null
        : { windowAtMs: Date.parse(meter.windowAt), refused: meter.refused, isTold: meter.told }
    const { refusals, alert } = countRefusals(before, many, now.getTime())
    const windowAt = new Date(refusals.windowAtMs).toISOString()
    Object.assign(meter, { windowAt, refused: refusals.refused, told: refusals.isTold })
    if (!alert) continue
    const data = { kind: "refused_access", severity: "medium", count: refusals.refused }
    const id = `hotswap/refused_access/${windowAt}`
    await addEvent(db, { tenantId, type: "security_alert", id, at: now.toISOString(), userId: null, data })
  }
}

/** Those that have no label yet have one if there is room. */
const label = async (db: Db, metered: Iterable<Metered>, max: number): Promise<void> => {
  const without = [...metered].filter(({ labelled }) => !labelled)
  if (without.length === 0) return
  let taken = await countLabelled(db)
  for (const meter of without) {
    if (taken >= (meter.tier === "Free" ? max * FREE_SHARE : max)) continue
    meter.labelled = true
    taken++
  }
}

const ownerOf = ({ tenantId, tier, labelled }: Metered): ScopeId => (labelled ? tenantId : tierScope(tier))

/** Whose series they become: the tenant's own, or its tier's, where several tenants' come together. */
const rowsOf = async (
  db: Db,
  sums: Iterable<MetricSum>,
  metered: ReadonlyMap<TenantId, Metered>,
): Promise<MetricRow[]> => {
  const all = [...sums].filter(({ tenantId }) => metered.has(tenantId))
  const told = new Set(
    all.filter(({ isTold }) => isTold).map(({ tenantId }) => ownerOf(metered.get(tenantId)!)),
  )
  const known = new Set<string>()
  const many = new Map<ScopeId, number>()
  const grow = (owner: ScopeId, key: string) => {
    known.add(key)
    many.set(owner, (many.get(owner) ?? 0) + 1)
  }
  for (const { owner, metric, labels } of await knownSeries(db, [...told])) {
    const values = JSON.parse(labels) as string[]
    // The service's own routes are as many as they are.
    if (values[0] !== "service") grow(owner, metricKey(owner, metric, values))
  }
  const rows = new Map<string, MetricRow>()
  for (const { tenantId, metric, labels, value, buckets, untilMs, isTold } of all) {
    const meter = metered.get(tenantId)!
    const owner = ownerOf(meter)
    const isGauge = typeOfMetric(metric) === "gauge"
    // What the last of several tenants says of itself is true of none of them together.
    if (isGauge && !meter.labelled) continue
    let key = metricKey(owner, metric, labels)
    let shown = labels
    if (isTold && !known.has(key)) {
      if ((many.get(owner) ?? 0) < SERIES_MAX) grow(owner, key)
      else {
        shown = labels.map(() => OTHERS)
        key = metricKey(owner, metric, shown)
      }
    }
    add(rows, key, {
      ...{ owner, metric, labels: JSON.stringify(shown), value, buckets, isGauge },
      until: untilMs === null ? null : new Date(untilMs).toISOString(),
    })
  }
  return [...rows.values()]
}

const add = (rows: Map<string, MetricRow>, key: string, row: MetricRow): void => {
  const known = rows.get(key)
  if (known === undefined || row.isGauge) {
    rows.set(key, row)
    return
  }
  known.value += row.value
  if (row.buckets) known.buckets = row.buckets.map((many, nth) => many + (known.buckets?.[nth] ?? 0))
}

const seen = (tenantId: TenantId, metric: TenantMetric, value: number): MetricSum => ({
  ...{ tenantId, metric, value, labels: [], buckets: null, untilMs: null, isTold: false },
})

/** Adds up once what waits: all of it is in the statistics, or none. `null`: somebody else adds up. */
const countOnce = async (
  deps: UsageDeps,
  batches: readonly UsageBatch[],
): Promise<{ events: number } | null> =>
  await countingAlone(deps.system, async (db) => {
    const fresh = await uncountedBatches(db, batches)
    const events = await uncountedEvents(db, EVENTS_MAX)
    const named = [
      ...events.map(({ tenantId }) => tenantId),
      ...fresh.flatMap(({ tenants }) => Object.keys(tenants) as TenantId[]),
    ]
    if (named.length === 0) return { events: 0 }
    const metered = await meteredTenants(db, [...new Set(named)])
    const sums = new Summing()
    for (const event of events) if (metered.has(event.tenantId)) sums.addEvent(event)
    for (const { tenants, atMs } of fresh)
      for (const [tenantId, usage] of Object.entries(tenants))
        if (metered.has(tenantId as TenantId)) sums.addUsage(tenantId as TenantId, usage, atMs)
    await watchRefusals(db, metered, refusedIn(fresh), deps.clock.now())
    await label(db, metered.values(), deps.metricTenants)
    await keepMetered(db, [...metered.values()])
    await addSlots(db, [...sums.slots.values()])
    await addRequests(db, [...sums.requests.values()])
    const users = await addUsers(db, [...sums.users.values()])
    const active = users.map(({ tenantId }) => seen(tenantId, "active_user_days_total", 1))
    const fresher = users
      .filter(({ isNew }) => isNew)
      .map(({ tenantId }) => seen(tenantId, "new_users_total", 1))
    await addMetrics(db, await rowsOf(db, [...sums.metrics.values(), ...active, ...fresher], metered))
    await markCounted(db, events)
    return { events: events.length }
  })

const waiting = async ({ inbox }: UsageDeps): Promise<UsageBatch[]> => {
  try {
    return (await inbox?.look(BATCHES_MAX)) ?? []
  } catch (error) {
    // The breaker has logged it; what is there is there later.
    if (error instanceof CacheUnavailable) return []
    throw error
  }
}

/** Adds up what was told and what processes counted, until there is no more of it. Returns how many events that were. */
export const countUsage = async (deps: UsageDeps): Promise<number> => {
  let counted = 0
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const batches = await waiting(deps)
    const done = await countOnce(deps, batches)
    // Somebody else counts.
    if (done === null) return counted
    counted += done.events
    // Only now: counted again they would not count, and forgotten before they would not either.
    await deps.inbox?.remove(batches).catch((error: unknown) => {
      if (!(error instanceof CacheUnavailable)) throw error
    })
    if (batches.length < BATCHES_MAX && done.events < EVENTS_MAX) return counted
  }
  return counted
}

const MEASURED_AT_ONCE = 20
const MEASURED_EVERY_MS = 600_000

/** Measures what is kept of tenants that have metrics of their own, each every ten minutes or so. */
export const measureTenants = async ({ system, db, clock, log }: UsageDeps): Promise<number> => {
  if (!db) return 0
  const before = new Date(clock.nowMs() - MEASURED_EVERY_MS).toISOString()
  const tenants = await unmeasuredTenants(system, before, MEASURED_AT_ONCE)
  for (const tenantId of tenants)
    try {
      const { databaseBytes, storageBytes } = await measureStorage(db, tenantId)
      const kinds = { database: databaseBytes, archives: storageBytes }
      const rows = Object.entries(kinds).map(
        ([kind, value]): MetricRow => ({
          ...{ owner: tenantId, metric: "storage_bytes", labels: JSON.stringify([kind]), value },
          ...{ buckets: null, until: null, isGauge: true },
        }),
      )
      await keepMeasured(system, tenantId, clock.now().toISOString(), rows)
    } catch (error) {
      log.warn("a tenant's storage could not be measured", { tenantId, error })
      // Others have their turn.
      await keepMeasured(system, tenantId, clock.now().toISOString(), [])
    }
  return tenants.length
}
