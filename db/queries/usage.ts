import { sql } from "drizzle-orm"
import type { Instant } from "../../core/change/change.ts"
import type { TenantId } from "../../core/ids.ts"
import { SLOT_MS } from "../../core/usage/sums.ts"
import type { Database } from "../client.ts"
import { toInstant } from "../instant.ts"
import { withTenant } from "../tenant.ts"

/** What happened at a tenant between two moments, rounded outwards to what is kept apart. */
export interface Usage {
  from: Instant
  to: Instant
  orders: { count: number; amountCents: number }
  payments: { count: number; amountCents: number }
  users: { active: number; total: number }
  logins: { count: number }
  /** `averageMs`: `null` where there were none. */
  requests: { count: number; averageMs: number | null }
  errors: { count: number }
  securityAlerts: { count: number }
}

const MS = 1_000
const SLOT = sql.raw(`interval '${SLOT_MS / MS} seconds'`)
const slotOf = (at: string) => sql`date_bin(${SLOT}, ${at}::timestamptz, 'epoch'::timestamptz)`

/** Added up where it is kept. */
export const readUsage = (
  database: Database,
  tenantId: TenantId,
  { from, to }: { from: string; to: string },
): Promise<Usage> =>
  withTenant(database, tenantId, async ({ db }) => {
    const [row] = await db.execute<Record<string, string | null>>(sql`
      with period as (select ${slotOf(from)} as from_at,
          case when ${slotOf(to)} < ${to}::timestamptz then ${slotOf(to)} + ${SLOT} else ${slotOf(to)} end as to_at),
      kinds as (select s.kind, sum(s.count) as count, sum(s.failed) as failed, sum(s.amount_cents) as cents, sum(s.duration_ms) as ms
        from hotswap.usage_slots s, period p
        where s.tenant_id = ${tenantId} and s.slot >= p.from_at and s.slot < p.to_at group by s.kind),
      users as (select count(distinct u.user_key) as total, count(distinct u.user_key) filter (
          where u.day >= (p.from_at at time zone 'UTC')::date and u.day <= ((p.to_at - interval '1 microsecond') at time zone 'UTC')::date) as active
        from hotswap.usage_users u, period p where u.tenant_id = ${tenantId})
      select p.from_at, p.to_at, u.total, u.active, k.* from period p, users u, (
        select max(count) filter (where kind = 'order_created') as orders,
          max(cents) filter (where kind = 'order_created') as order_cents,
          max(count) filter (where kind = 'payment_processed') as payments,
          max(cents) filter (where kind = 'payment_processed') as payment_cents,
          max(count) filter (where kind = 'user_login') as logins,
          max(count) filter (where kind = 'api_request') as requests,
          max(ms) filter (where kind = 'api_request') as requests_ms,
          coalesce(max(count) filter (where kind = 'error'), 0)
            + coalesce(max(failed) filter (where kind = 'api_request'), 0) as errors,
          max(count) filter (where kind = 'security_alert') as alerts
        from kinds) k`)
    const number = (name: string) => Number(row![name] ?? 0)
    const requests = number("requests")
    return {
      from: toInstant(row!.from_at!),
      to: toInstant(row!.to_at!),
      orders: { count: number("orders"), amountCents: number("order_cents") },
      payments: { count: number("payments"), amountCents: number("payment_cents") },
      users: { active: number("active"), total: number("total") },
      logins: { count: number("logins") },
      requests: { count: requests, averageMs: requests === 0 ? null : number("requests_ms") / requests },
      errors: { count: number("errors") },
      securityAlerts: { count: number("alerts") },
    }
  })

/** How a tenant's requests fared lately, and how much is kept of it. */
export interface ServiceHealth {
  /** Of the requests of the last 24 hours, the part that was answered with 5xx; `null`: there were none. */
  errorRate: number | null
  /** Of the last hour. */
  responseMs: number | null
  /** Of the ten minutes of the last 24 hours in which there were requests, the part in which most were not answered with 5xx. */
  uptime: number | null
  lastSecurityAlertAt: Instant | null
  databaseBytes: number
  storageBytes: number
}

/** As of `now`, to the ten minutes. */
export const readHealth = (database: Database, tenantId: TenantId, now: Instant): Promise<ServiceHealth> =>
  withTenant(database, tenantId, async ({ db }) => {
    const [row] = await db.execute<Record<string, string | null>>(sql`
      with slots as materialized (select s.slot, s.count, s.failed, s.duration_ms from hotswap.usage_slots s
        where s.tenant_id = ${tenantId} and s.kind = 'api_request' and s.count > 0
          and s.slot > ${now}::timestamptz - interval '24 hours' and s.slot <= ${now}::timestamptz)
      select sum(failed)::float8 / sum(count) as error_rate,
        sum(duration_ms) filter (where slot > ${now}::timestamptz - interval '1 hour')
          / sum(count) filter (where slot > ${now}::timestamptz - interval '1 hour') as response_ms,
        count(*) filter (where failed * 2 <= count)::float8 / nullif(count(*), 0) as uptime,
        (select hotswap.instant(max(e.slot)) from hotswap.usage_slots e
          where e.tenant_id = ${tenantId} and e.kind = 'security_alert') as last_alert,
        (select coalesce(sum(b.packed_bytes), 0) from hotswap.backups b
          where b.tenant_id = ${tenantId} and b.state = 'complete') as storage_bytes,
        hotswap.measure_rows(${tenantId}) as database_bytes
      from slots`)
    const known = (name: string) => (row![name] == null ? null : Number(row![name]))
    return {
      errorRate: known("error_rate"),
      responseMs: known("response_ms"),
      uptime: known("uptime"),
      lastSecurityAlertAt: (row!.last_alert as Instant | null) ?? null,
      databaseBytes: known("database_bytes") ?? 0,
      storageBytes: known("storage_bytes") ?? 0,
    }
  })

/** The last two alone: of tenants without requests, too. */
export const measureStorage = async (
  database: Database,
  tenantId: TenantId,
): Promise<{ databaseBytes: number; storageBytes: number }> =>
  withTenant(database, tenantId, async ({ db }) => {
    const [row] = await db.execute<Record<string, string>>(sql`
      select hotswap.measure_rows(${tenantId}) as rows, (select coalesce(sum(b.packed_bytes), 0) from hotswap.backups b
        where b.tenant_id = ${tenantId} and b.state = 'complete') as archives`)
    return { databaseBytes: Number(row!.rows), storageBytes: Number(row!.archives) }
  })
