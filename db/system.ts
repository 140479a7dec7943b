import { and, asc, desc, eq, gt, inArray, ne, or, sql } from "drizzle-orm"
import type { Instant } from "../core/change/change.ts"
import type { Environment } from "../core/environment.ts"
import { type ChangeId, layerOf, parseChangeId, type ScopeId, type TenantId, type Tier } from "../core/ids.ts"
import { getsCandidate } from "../core/release/bucket.ts"
import type { Candidate } from "../core/release/release.ts"
import type { Database, Runner } from "./client.ts"
import type { Prepared } from "./connection.ts"
import type { BackupRow } from "./queries/backups.ts"
import { type TenantRow, tenantColumns, tenantRow } from "./queries/tenant-rows.ts"
import { backups } from "./schema/backups.ts"
import { outbox } from "./schema/outbox.ts"
import { externalIds, tenants } from "./schema/tenants.ts"

// Every query that looks across tenants is in this file, and runs as the role `hotswap_system`, whose policies and
// grants show it no configuration.

/** By id; `after` is the last one of the page before. Deleted tenants only when asked for. */
export const listTenants = (
  system: Database,
  {
    limit,
    after,
    tier,
    status,
  }: { limit: number; after?: TenantId; tier?: Tier; status?: TenantRow["status"] },
): Promise<TenantRow[]> =>
  system.transaction(async ({ db }) => {
    const fits = and(
      sql`${tenants.tier} is not null`,
      // What is restored for trial is nobody's tenant.
      sql`${tenants.tenantId} !~ '^drill-[0-9a-f]{32}$'`,
      after === undefined ? undefined : gt(tenants.tenantId, after),
      tier === undefined ? undefined : eq(tenants.tier, tier),
      status === undefined ? ne(tenants.status, "deleted") : eq(tenants.status, status),
    )
    const rows = await db
      .select(tenantColumns)
      .from(tenants)
      .where(fits)
      .orderBy(asc(tenants.tenantId))
      .limit(limit)
    return rows.map(tenantRow)
  })

export interface BackupPosition {
  at: Instant
  tenantId: ScopeId
  backupId: string
}

/** Every scope's, newest first; those that were removed only when they are asked for. */
export const listAllBackups = (
  system: Database,
  {
    limit,
    before,
    source,
    origin,
    state,
  }: {
    limit: number
    before?: BackupPosition
    source?: ScopeId
    origin?: BackupRow["origin"]
    state?: BackupRow["state"]
  },
): Promise<BackupRow[]> =>
  system.transaction(async ({ db }) => {
    const { at, tenantId, backupId } = backups
    const fits = and(
      state === undefined ? ne(backups.state, "removed") : eq(backups.state, state),
      source === undefined ? undefined : eq(backups.source, source),
      origin === undefined ? undefined : eq(backups.origin, origin),
      before &&
        sql`(${at}, ${tenantId}, ${backupId}) < (${before.at}::timestamptz, ${before.tenantId}, ${before.backupId}::uuid)`,
    )
    const rows = await db
      .select()
      .from(backups)
      .where(fits)
      .orderBy(desc(at), desc(tenantId), desc(backupId))
      .limit(limit)
    return rows as BackupRow[]
  })

const byExternalId: Prepared<Record<string, unknown>, { tenantId: string }[]> = {
  build: (db) =>
    db
      .select({ tenantId: externalIds.tenantId })
      .from(externalIds)
      .where(eq(externalIds.externalId, sql.placeholder("externalId")))
      .prepare("resolve_external_id"),
}

export const resolveExternalId = async (system: Runner, externalId: string): Promise<TenantId | null> => {
  const [row] = await system.run(byExternalId, { externalId })
  return (row?.tenantId as TenantId | undefined) ?? null
}

/** One scope × environment whose pointer moved since it was last published. */
export interface Mark {
  scope: ScopeId
  environment: Environment
  mark: string
}

/** Oldest first. Taking does not remove: {@link clearMark} does, after publishing. */
export const takeMarks = (system: Database, limit: number): Promise<Mark[]> =>
  system.transaction(async ({ db }) => {
    const columns = { scope: outbox.tenantId, environment: outbox.environment, mark: outbox.mark }
    return (await db.select(columns).from(outbox).orderBy(asc(outbox.at)).limit(limit)) as Mark[]
  })

const clear: Prepared<Record<string, unknown>, { cleared: boolean }[]> = {
  build: (db) =>
    db
      .select({ cleared: sql<boolean>`cleared` })
      .from(
        sql`hotswap.clear_mark(${sql.placeholder("scope")}, ${sql.placeholder("environment")}, ${sql.placeholder("mark")}) as cleared`,
      )
      .prepare("clear_mark"),
}

/** Takes a mark away unless it was set again meanwhile. For the relay, and for who committed and published at once. */
export const clearMark = async (runner: Runner, { scope, environment, mark }: Mark): Promise<boolean> => {
  const [row] = await runner.run(clear, { scope, environment, mark })
  return row?.cleared ?? false
}

export interface DueChange {
  scope: ScopeId
  environment: Environment
  changeId: ChangeId
}

/**
 * Changes the clock should look at by `now`: those it has looked at least often since they last became something
 * else, of these the longest waiting first. So one that cannot be looked at keeps no other from its turn.
 */
export const dueChanges = (system: Database, now: Instant, limit: number): Promise<DueChange[]> =>
  system.transaction(async ({ db }) => {
    const rows = await db.execute<DueChange & Record<string, unknown>>(sql`
      with due as materialized (
        select tenant_id, change_id from hotswap.changes where due_at <= ${now}
        order by looks, due_at limit ${limit} for no key update skip locked)
      update hotswap.changes c set looks = c.looks + 1 from due
        where c.tenant_id = due.tenant_id and c.change_id = due.change_id
        returning c.tenant_id as scope, c.environment, c.change_id as "changeId", c.looks, c.due_at`)
    return [...rows]
      .sort(byLooks)
      .map(({ scope, environment, changeId }) => ({ scope, environment, changeId }))
  })

/** An update returns its rows in no order. Times of one format sort as text. */
const byLooks = (one: Record<string, unknown>, other: Record<string, unknown>): number =>
  Number(one.looks) - Number(other.looks) || String(one.due_at).localeCompare(String(other.due_at))

/**
 * Changes that a state machine waits for though there is nothing left to wait for: they have ended, or roll out by
 * the clock. Those that wait for their time to start are found when they have.
 */
export const staleWaits = (system: Database, limit: number): Promise<ChangeId[]> =>
  system.transaction(async ({ db }) => {
    const rows = await db.execute<{ changeId: ChangeId }>(sql`
      select w.change_id as "changeId" from hotswap.workflow_waits w
      join hotswap.changes c on c.tenant_id = w.tenant_id and c.change_id = w.change_id
      where c.state not in ('awaiting_approval', 'scheduled', 'rolling_out')
        or (c.state = 'rolling_out' and c.due_at is not null)
      limit ${limit}`)
    return rows.map(({ changeId }) => changeId)
  })

/** Forgets answers kept for longer than a day, some thousands at the most; returns how many. */
export const purgeIdempotency = (system: Database): Promise<number> =>
  purge(system, { table: "idempotency_keys", key: "tenant_id, key", isOld: "t.expires_at <= now()" })

/** Tenants looked through at once for those that a share reaches. */
const TENANTS_PAGE = 5_000

/**
 * How many active tenants the waves of a change of the platform or a tier have reached, `limit` at the most. Those
 * taken out again because the candidate failed them were reached, too.
 */
export const countReached = async (
  system: Database,
  { weightBp, audience }: Pick<Candidate, "weightBp" | "audience">,
  changeId: ChangeId,
  limit = 3,
): Promise<number> => {
  const { scope } = parseChangeId(changeId)!
  const named = { tiers: audience?.tiers ?? [], tenants: audience?.tenants ?? [] }
  let reached = 0
  let after = ""
  while (reached < limit) {
    const page = await activeTenants(system, scope, after, weightBp === 0 ? named : null)
    for (const { tenantId, tier } of page)
      if (
        named.tiers.includes(tier) ||
        named.tenants.includes(tenantId) ||
        getsCandidate(changeId, tenantId, weightBp)
      )
        reached += 1
    if (page.length < TENANTS_PAGE) break
    after = page.at(-1)!.tenantId
  }
  return Math.min(reached, limit)
}

/** A page of a scope's tenants by id; of those named alone, where nobody else can be meant. */
const activeTenants = (
  system: Database,
  scope: ScopeId,
  after: string,
  only: { tiers: readonly Tier[]; tenants: readonly TenantId[] } | null,
): Promise<{ tenantId: TenantId; tier: Tier }[]> =>
  system.transaction(async ({ db }) => {
    const fits = and(
      sql`${tenants.tier} is not null`,
      eq(tenants.status, "active"),
      gt(tenants.tenantId, after),
      layerOf(scope) === "tier" ? sql`'~tier.' || ${tenants.tier} = ${scope}` : undefined,
      only === null
        ? undefined
        : or(inArray(tenants.tier, [...only.tiers]), inArray(tenants.tenantId, [...only.tenants])),
    )
    const columns = { tenantId: tenants.tenantId, tier: tenants.tier }
    const page = db.select(columns).from(tenants).where(fits).orderBy(asc(tenants.tenantId))
    return (await page.limit(TENANTS_PAGE)) as { tenantId: TenantId; tier: Tier }[]
  })

export interface DueDelivery {
  scope: ScopeId
  deliveryId: string
}

/**
 * Deliveries to attempt by `now`, by turns: each scope's first, then each one's second, at most `each` of one scope. Within
 * a scope new ones, then the longest waiting. So however much waits for one scope's receivers, it keeps no other from its turn.
 */
export const dueDeliveries = (
  system: Database,
  now: Instant,
  limit: number,
  each = limit,
): Promise<DueDelivery[]> =>
  system.transaction(async ({ db }) => {
    // From one scope that has any to the next, as `distinct` would read them all.
    const rows = await db.execute<DueDelivery & Record<string, unknown>>(sql`
      with recursive scopes as (
        (select tenant_id from hotswap.deliveries where state = 'pending' order by tenant_id limit 1)
        union all
        select (select d.tenant_id from hotswap.deliveries d
          where d.state = 'pending' and d.tenant_id > s.tenant_id order by d.tenant_id limit 1)
        from scopes s where s.tenant_id is not null)
      select d.tenant_id as scope, d.delivery_id as "deliveryId" from scopes s
      cross join lateral (
        select n.*, row_number() over (order by n.due_at nulls first, n.delivery_id) as turn
        from (
          (select p.tenant_id, p.delivery_id, p.due_at from hotswap.deliveries p
            where p.tenant_id = s.tenant_id and p.state = 'pending' and p.due_at is null
            order by p.delivery_id limit ${each})
          union all
          (select p.tenant_id, p.delivery_id, p.due_at from hotswap.deliveries p
            where p.tenant_id = s.tenant_id and p.state = 'pending' and p.due_at <= ${now}
            order by p.due_at, p.delivery_id limit ${each})) n) d
      where d.turn <= ${each}
      order by d.turn, d.due_at nulls first, d.delivery_id
      limit ${limit}`)
    return rows.map(({ scope, deliveryId }) => ({ scope, deliveryId }))
  })

/** Looked for at once: what is left waits for the next call. */
const PURGE_MAX = 5_000

/**
 * Forgets what nobody needs any more: what single instances and tenants reported of changes that ended a week ago,
 * instances silent for a day, who waited for changes that are over, deliveries of a month ago and dead ones of
 * three, jobs that ended three months ago. Returns how many rows.
 */
export const purgeOld = async (system: Database): Promise<number> => {
  let gone = 0
  for (const old of PURGED) gone += await purge(system, old)
  return gone
}

const purge = (system: Database, { table, key, isOld }: (typeof PURGED)[number]): Promise<number> =>
  system.transaction(async ({ db }) => {
    const rows = await db.execute(
      sql.raw(`
        delete from hotswap.${table} where (${key}) in (
          select ${key} from hotswap.${table} t where ${isOld} limit ${PURGE_MAX}) returning tenant_id`),
    )
    return rows.length
  })

const endedBefore = (age: string) => `exists (select from hotswap.changes c
  where c.tenant_id = t.tenant_id and c.change_id = t.change_id and c.updated_at < now() - interval '${age}'
  and c.state not in ('awaiting_approval', 'scheduled', 'rolling_out'))`

const PURGED = [
  { table: "gate_instances", key: "tenant_id, change_id", isOld: endedBefore("7 days") },
  { table: "gate_tenants", key: "tenant_id, change_id", isOld: endedBefore("7 days") },
  {
    table: "gate_readers",
    key: "tenant_id, environment, instance",
    isOld: "t.at < now() - interval '1 day'",
  },
  { table: "workflow_waits", key: "tenant_id, change_id", isOld: endedBefore("1 day") },
  {
    table: "deliveries",
    key: "tenant_id, delivery_id",
    isOld: `t.settled_at < now() - interval '30 days'
      and (t.state = 'delivered' or t.settled_at < now() - interval '90 days')`,
  },
  { table: "jobs", key: "tenant_id, job_id", isOld: "t.ended_at < now() - interval '90 days'" },
]
