import { and, asc, eq, gt, lte, ne, sql } from "drizzle-orm"
import type { Instant } from "../core/change/change.ts"
import type { Environment } from "../core/environment.ts"
import type { ChangeId, ScopeId, TenantId, Tier } from "../core/ids.ts"
import type { Database, Runner } from "./client.ts"
import type { Prepared } from "./connection.ts"
import { type TenantRow, tenantColumns, tenantRow } from "./queries/tenant-rows.ts"
import { changes } from "./schema/changes.ts"
import { idempotencyKeys } from "./schema/idempotency.ts"
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

/** Changes the clock should look at by `now`, the longest waiting first. */
export const dueChanges = (system: Database, now: Instant, limit: number): Promise<DueChange[]> =>
  system.transaction(async ({ db }) => {
    const columns = { scope: changes.tenantId, environment: changes.environment, changeId: changes.changeId }
    const due = lte(changes.dueAt, now)
    return (await db
      .select(columns)
      .from(changes)
      .where(due)
      .orderBy(asc(changes.dueAt))
      .limit(limit)) as DueChange[]
  })

/** Forgets answers kept for longer than a day; returns how many. */
export const purgeIdempotency = (system: Database): Promise<number> =>
  system.transaction(async ({ db }) => {
    const { tenantId } = idempotencyKeys
    const gone = await db
      .delete(idempotencyKeys)
      .where(sql`${idempotencyKeys.expiresAt} <= now()`)
      .returning({ tenantId })
    return gone.length
  })
