import { sql } from "drizzle-orm"
import { PLATFORM, type ScopeId, type TenantId, type Tier } from "../core/ids.ts"
import type { TenantEvent } from "../core/usage/event.ts"
import type { TenantMetric } from "../core/usage/metrics.ts"
import type { MetricSum, RequestSum, SlotSum, UserSeen } from "../core/usage/sums.ts"
import type { Database } from "./client.ts"
import type { Connection } from "./connection.ts"
import { toInstant } from "./instant.ts"

// As `system.ts`, for statistics: what all tenants' events and requests come to, added up together.

type Db = Connection["db"]
type Row = Record<string, unknown>

const rowsOf = (rows: readonly unknown[]): string => JSON.stringify(rows)

/** Runs `work` in one transaction, unless another one counts already: then `null`. */
export const countingAlone = <T>(system: Database, work: (db: Db) => Promise<T>): Promise<T | null> =>
  system.transaction(async ({ db }) => {
    const [row] = await db.execute<{ alone: boolean }>(
      sql`select pg_try_advisory_xact_lock(hashtextextended('hotswap.usage', 0)) as alone`,
    )
    return row!.alone ? await work(db as Db) : null
  })

/** Events that are in no statistics yet, the longest waiting first. */
export const uncountedEvents = async (db: Db, limit: number): Promise<TenantEvent[]> => {
  const rows = await db.execute<Row>(sql`
    select tenant_id as "tenantId", event_id as id, type, at::text as at, user_id as "userId", data
    from hotswap.tenant_events where not counted order by received_at limit ${limit}`)
  return rows.map((row) => ({ ...row, at: toInstant(row.at as string) })) as unknown as TenantEvent[]
}

export const markCounted = async (db: Db, events: readonly Pick<TenantEvent, "tenantId" | "id">[]) => {
  if (events.length === 0) return
  await db.execute(sql`
    update hotswap.tenant_events t set counted = true
    from jsonb_to_recordset(${rowsOf(events)}::jsonb) as e ("tenantId" text, id text)
    where t.tenant_id = e."tenantId" and t.event_id = e.id`)
}

/** Of instances of functions, the last number of each that was counted. */
export const countedSeqs = async (db: Db, instances: readonly string[]): Promise<Map<string, number>> => {
  const rows = await db.execute<{ instance: string; seq: string }>(sql`
    select instance, seq from hotswap.usage_sources where tenant_id = ${PLATFORM}
      and instance in (select i::uuid from jsonb_array_elements_text(${rowsOf(instances)}::jsonb) i)`)
  return new Map(rows.map(({ instance, seq }) => [instance, Number(seq)]))
}

export const keepSeqs = async (db: Db, seqs: ReadonlyMap<string, number>): Promise<void> => {
  const rows = [...seqs].map(([instance, seq]) => ({ instance, seq }))
  await db.execute(sql`
    insert into hotswap.usage_sources (tenant_id, instance, seq)
      select ${PLATFORM}, e.instance, e.seq from jsonb_to_recordset(${rowsOf(rows)}::jsonb) as e (instance uuid, seq bigint)
    on conflict (tenant_id, instance) do update set seq = excluded.seq, at = clock_timestamp()`)
}

/** What is known of a tenant that something is counted of. */
export interface Metered {
  tenantId: TenantId
  tier: Tier
  labelled: boolean
  windowAt: string | null
  refused: number
  told: boolean
}

/** Of those that are there: whoever was deleted is counted no more. */
export const meteredTenants = async (
  db: Db,
  tenantIds: readonly TenantId[],
): Promise<Map<TenantId, Metered>> => {
  const rows = await db.execute<Metered & Row>(sql`
    select t.tenant_id as "tenantId", t.tier, coalesce(m.labelled, false) as labelled,
      m.window_at::text as "windowAt", coalesce(m.refused, 0) as refused, coalesce(m.told, false) as told
    from hotswap.tenants t left join hotswap.usage_meters m on m.tenant_id = t.tenant_id
    where t.tier is not null and t.status <> 'deleted'
      and t.tenant_id in (select jsonb_array_elements_text(${rowsOf(tenantIds)}::jsonb))`)
  const timed = ({ windowAt, ...row }: Metered) => ({ ...row, windowAt: windowAt && toInstant(windowAt) })
  return new Map(rows.map((row) => [row.tenantId, timed(row)]))
}

export const countLabelled = async (db: Db): Promise<number> => {
  const [row] = await db.execute<{ many: number }>(
    sql`select count(*)::int as many from hotswap.usage_meters where labelled`,
  )
  return row!.many
}

export const keepMetered = async (db: Db, metered: readonly Metered[]): Promise<void> => {
  await db.execute(sql`
    insert into hotswap.usage_meters (tenant_id, labelled, window_at, refused, told)
      select e."tenantId", e.labelled, e."windowAt", e.refused, e.told
      from jsonb_to_recordset(${rowsOf(metered)}::jsonb)
        as e ("tenantId" text, labelled boolean, "windowAt" timestamptz, refused integer, told boolean)
    on conflict (tenant_id) do update set labelled = excluded.labelled, window_at = excluded.window_at,
      refused = excluded.refused, told = excluded.told`)
}

/** An event that the service itself tells of. */
export const addEvent = async (db: Db, event: TenantEvent): Promise<void> => {
  await db.execute(sql`
    insert into hotswap.tenant_events (tenant_id, event_id, type, at, data)
      values (${event.tenantId}, ${event.id}, ${event.type}, ${event.at}::timestamptz, ${JSON.stringify(event.data)}::jsonb)
    on conflict do nothing`)
}

export const addSlots = async (db: Db, slots: readonly SlotSum[]): Promise<void> => {
  if (slots.length === 0) return
  await db.execute(sql`
    insert into hotswap.usage_slots as u (tenant_id, slot, kind, count, failed, amount_cents, duration_ms)
      select e."tenantId", e.slot, e.kind, e.count, e.failed, e."amountCents", e."durationMs"
      from jsonb_to_recordset(${rowsOf(slots)}::jsonb) as e ("tenantId" text, slot timestamptz, kind text, count bigint,
        failed bigint, "amountCents" bigint, "durationMs" float8)
    on conflict (tenant_id, slot, kind) do update set count = u.count + excluded.count, failed = u.failed + excluded.failed,
      amount_cents = u.amount_cents + excluded.amount_cents, duration_ms = u.duration_ms + excluded.duration_ms`)
}

export const addRequests = async (db: Db, requests: readonly RequestSum[]): Promise<void> => {
  if (requests.length === 0) return
  await db.execute(sql`
    insert into hotswap.usage_requests as u (tenant_id, day, route, method, status, user_id, count, duration_ms)
      select e."tenantId", e.day, e.route, e.method, e.status, e."userId", e.count, e."durationMs"
      from jsonb_to_recordset(${rowsOf(requests)}::jsonb) as e ("tenantId" text, day date, route text, method text,
        status integer, "userId" text, count bigint, "durationMs" float8)
    on conflict (tenant_id, day, route, method, status, user_id) do update set count = u.count + excluded.count,
      duration_ms = u.duration_ms + excluded.duration_ms`)
}

/** Those that were not seen on that day yet; `isNew`: nor on any other. */
export const addUsers = async (
  db: Db,
  users: readonly UserSeen[],
): Promise<{ tenantId: TenantId; isNew: boolean }[]> => {
  if (users.length === 0) return []
  // What is asked is asked of how it was before: the rows that the statement itself adds are not seen by it.
  const rows = await db.execute<{ tenantId: TenantId; isNew: boolean }>(sql`
    with seen as materialized (
      select e."tenantId" as tenant_id, e.day, decode(e."userKey", 'hex') as user_key
      from jsonb_to_recordset(${rowsOf(users)}::jsonb) as e ("tenantId" text, day date, "userKey" text)),
    added as (
      insert into hotswap.usage_users (tenant_id, day, user_key) select tenant_id, day, user_key from seen
      on conflict do nothing returning tenant_id, day, user_key)
    select a.tenant_id as "tenantId", a.day = min(a.day) over (partition by a.tenant_id, a.user_key)
      and not exists (select from hotswap.usage_users u
        where u.tenant_id = a.tenant_id and u.user_key = a.user_key) as "isNew" from added a`)
  return [...rows]
}

/** The series that there are of these tenants, each by its metric and labels. */
export const knownSeries = async (
  db: Db,
  owners: readonly ScopeId[],
): Promise<{ owner: ScopeId; metric: TenantMetric; labels: string }[]> => {
  if (owners.length === 0) return []
  return [
    ...(await db.execute<{ owner: ScopeId; metric: TenantMetric; labels: string }>(sql`
      select tenant_id as owner, metric, labels from hotswap.usage_metrics
      where tenant_id in (select jsonb_array_elements_text(${rowsOf(owners)}::jsonb))`)),
  ]
}

export interface MetricRow extends Pick<MetricSum, "metric" | "value" | "buckets"> {
  owner: ScopeId
  labels: string
  until: string | null
  /** Takes the place of what was there, and is not added to it. */
  isGauge: boolean
}

export const addMetrics = async (db: Db, metrics: readonly MetricRow[]): Promise<void> => {
  if (metrics.length === 0) return
  await db.execute(sql`
    insert into hotswap.usage_metrics as u (tenant_id, metric, labels, value, buckets, until)
      select e.owner, e.metric, e.labels, e.value, e.buckets, e.until
      from jsonb_to_recordset(${rowsOf(metrics)}::jsonb) as e (owner text, metric text, labels text, value float8,
        buckets bigint[], until timestamptz)
    on conflict (tenant_id, metric, labels) do update set until = excluded.until,
      value = case when excluded.metric in (${gauges(metrics)}) then excluded.value else u.value + excluded.value end,
      buckets = hotswap.add_buckets(u.buckets, excluded.buckets)`)
}

const gauges = (metrics: readonly MetricRow[]) =>
  sql.join(
    [...new Set(["", ...metrics.filter(({ isGauge }) => isGauge).map(({ metric }) => metric)])].map(
      (metric) => sql`${metric}`,
    ),
    sql`, `,
  )

/** Tenants with a label of their own whose storage was not measured since, the longest ago first. */
export const unmeasuredTenants = (system: Database, before: string, limit: number): Promise<TenantId[]> =>
  system.transaction(async ({ db }) => {
    const rows = await db.execute<{ tenantId: TenantId }>(sql`
      select m.tenant_id as "tenantId" from hotswap.usage_meters m join hotswap.tenants t on t.tenant_id = m.tenant_id
      where m.labelled and t.status <> 'deleted' and coalesce(m.measured_at, '-infinity') < ${before}::timestamptz
      order by m.measured_at nulls first, m.tenant_id limit ${limit}`)
    return rows.map(({ tenantId }) => tenantId)
  })

export const keepMeasured = (
  system: Database,
  tenantId: TenantId,
  at: string,
  metrics: readonly MetricRow[],
): Promise<void> =>
  system.transaction(async ({ db }) => {
    await addMetrics(db as Db, metrics)
    await db.execute(
      sql`update hotswap.usage_meters set measured_at = ${at}::timestamptz where tenant_id = ${tenantId}`,
    )
  })

/** Looked for at once, of each table. */
const PURGE_MAX = 20_000

/** Forgets events and statistics older than so many days, some thousands of each at the most; returns how many. */
export const purgeUsage = async (system: Database, days: number): Promise<number> => {
  const old = (column: string, type: string) => `${column} < (now() - interval '${days} days')::${type}`
  const kinds = [
    ["tenant_events", "tenant_id, event_id", `${old("received_at", "timestamptz")} and counted`],
    ["usage_slots", "tenant_id, slot, kind", old("slot", "timestamptz")],
    ["usage_requests", "tenant_id, day, route, method, status, user_id", old("day", "date")],
    ["usage_users", "tenant_id, day, user_key", old("day", "date")],
    ["usage_sources", "tenant_id, instance", "at < now() - interval '1 day'"],
  ] as const
  let gone = 0
  for (const [table, key, isOld] of kinds)
    gone += await system.transaction(async ({ db }) => {
      const rows = await db.execute(
        sql.raw(`delete from hotswap.${table} where (${key}) in (
          select ${key} from hotswap.${table} where ${isOld} limit ${PURGE_MAX}) returning tenant_id`),
      )
      return rows.length
    })
  return gone
}

/** One series as it is scraped. */
export interface ScrapedSeries {
  owner: ScopeId
  tier: Tier
  labels: string
  value: number
  buckets: number[] | null
}

/** Of one metric, a page of series by owner and labels, of the tenants that fall into one part of so many. */
export const scrapeMetric = (
  system: Database,
  metric: TenantMetric,
  {
    after,
    limit,
    part,
    parts,
  }: {
    after: Pick<ScrapedSeries, "owner" | "labels"> | null
    limit: number
    part: number
    parts: number
  },
): Promise<ScrapedSeries[]> =>
  system.transaction(async ({ db }) => {
    const rows = await db.execute<Row>(sql`
      select u.tenant_id as owner, coalesce(t.tier, replace(u.tenant_id, '~tier.', '')) as tier, u.labels,
        case when u.until < now() then 0 else u.value end as value, to_json(u.buckets) as buckets
      from hotswap.usage_metrics u join hotswap.tenants t on t.tenant_id = u.tenant_id
      where u.metric = ${metric} and t.status <> 'deleted'
        and (u.tenant_id, u.labels) > (${after?.owner ?? ""}, ${after?.labels ?? ""})
        and (hashtextextended(u.tenant_id, 0) & 2147483647) % ${parts} = ${part}
      order by u.tenant_id, u.labels limit ${limit}`)
    return rows as unknown as ScrapedSeries[]
  })

export const usageFigures = (system: Database): Promise<{ labelled: number; uncounted: number }> =>
  system.transaction(async ({ db }) => {
    const [row] = await db.execute<{ labelled: number; uncounted: number }>(sql`
      select (select count(*)::int from hotswap.usage_meters where labelled) as labelled,
        (select count(*)::int from hotswap.tenant_events where not counted) as uncounted`)
    return row!
  })
