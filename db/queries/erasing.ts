import { eq, type SQL, sql } from "drizzle-orm"
import { PLATFORM, type TenantId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import type { Database } from "../client.ts"
import type { Connection } from "../connection.ts"
import { erasures } from "../schema/erasures.ts"
import { withTenant } from "../tenant.ts"
import type { Erasure } from "./erasure.ts"

// As the role `hotswap_system`. A policy of every table lets it destroy what belongs to a tenant whose erasure is due
// and has begun, and nothing else.

/** Erasures that are due and not done, the longest due first. */
export const dueErasures = (system: Database, limit: number): Promise<TenantId[]> =>
  system.transaction(async ({ db }) => {
    const rows = await db.execute<{ tenantId: TenantId }>(sql`
      select tenant_id as "tenantId" from hotswap.erasures where due_at <= now() and erased_at is null
      order by due_at, tenant_id limit ${limit}`)
    return rows.map(({ tenantId }) => tenantId)
  })

/** `unsigned`: wait until its audit is signed to the end, for a day: what can never be signed keeps nobody's data here. */
export type Begun = "begun" | "unsigned"

/**
 * Keeps what will be told of the tenant's audit, and ends the chain, so that nothing can be added any more that nobody
 * would know of. Once: what was kept stays.
 */
export const beginErasing = (system: Database, tenantId: TenantId, mustBeSigned: boolean): Promise<Begun> =>
  system.transaction(async ({ db }) => {
    const [told] = await db.execute<{ begun: boolean; signed: boolean; note: string | null }>(sql`
      select e.evidence is not null as begun, c.note,
        coalesce(c.size, 0) >= coalesce((select h.seq from hotswap.audit_heads h where h.tenant_id = e.tenant_id), 0)
          or e.due_at < now() - interval '1 day' as signed
      from hotswap.erasures e
      left join lateral (select k.size, k.note from hotswap.audit_checkpoints k where k.tenant_id = e.tenant_id
        order by k.size desc limit 1) c on true
      where e.tenant_id = ${tenantId} for update of e`)
    if (!told || told.begun) return "begun"
    if (mustBeSigned && !told.signed) return "unsigned"
    const evidence = (audit: JsonObject | null) => JSON.stringify({ audit, checkpoint: told.note })
    // From here on the policies let the rows be destroyed.
    await db.execute(
      sql`update hotswap.erasures set evidence = ${evidence(null)}::jsonb where tenant_id = ${tenantId}`,
    )
    const [head] = await db.execute<{ seq: string; hash: Uint8Array }>(
      sql`delete from hotswap.audit_heads where tenant_id = ${tenantId} returning seq, hash`,
    )
    const audit = head && { entries: Number(head.seq), hash: Buffer.from(head.hash).toString("hex") }
    const counts = JSON.stringify(head ? { audit_heads: 1 } : {})
    await db.execute(sql`update hotswap.erasures set evidence = ${evidence(audit ?? null)}::jsonb,
      counts = ${counts}::jsonb where tenant_id = ${tenantId}`)
    return "begun"
  })

/** A table with rows of tenants, and the columns that name one of its rows. */
export interface ErasableTable {
  name: string
  key: readonly string[]
}

interface TableRow extends Record<string, unknown>, ErasableTable {
  references: string[]
}

/** What outlives the tenant: that it was there, and the certificate that it was destroyed. */
const OUTLIVES: readonly string[] = ["erasures"]

/**
 * Every table with rows of tenants, as the catalog has them: each before those that it refers to, so the tenants
 * themselves come last.
 */
export const erasableTables = (system: Database): Promise<ErasableTable[]> =>
  system.transaction(async ({ db }) => {
    const rows = await db.execute<TableRow>(sql`
      select c.relname as name,
        (select coalesce(jsonb_agg(a.attname order by n.nth), '[]') from pg_constraint k
          cross join unnest(k.conkey) with ordinality n (attnum, nth)
          join pg_attribute a on a.attrelid = k.conrelid and a.attnum = n.attnum
          where k.conrelid = c.oid and k.contype = 'p') as key,
        (select coalesce(jsonb_agg(distinct f.relname), '[]') from pg_constraint k
          join pg_class f on f.oid = k.confrelid
          where k.conrelid = c.oid and k.contype = 'f' and k.confrelid <> c.oid) as references
      from pg_class c
      where c.relnamespace = 'hotswap'::regnamespace and c.relkind in ('r', 'p')
        and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')
      order by c.relname`)
    return inOrder(rows.filter(({ name }) => !OUTLIVES.includes(name)))
  })

const inOrder = (tables: readonly TableRow[]): ErasableTable[] => {
  const left = new Map(tables.map((table) => [table.name, table]))
  const order: ErasableTable[] = []
  while (left.size > 0) {
    const referred = new Set([...left.values()].flatMap(({ references }) => references))
    const free = [...left.values()].filter(({ name }) => !referred.has(name))
    if (free.length === 0) throw new Error(`${[...left.keys()].join(", ")} refer to one another in a circle`)
    for (const { name, key } of free) {
      order.push({ name, key })
      left.delete(name)
    }
  }
  return order
}

const names = (columns: readonly string[]): SQL =>
  sql.join(
    columns.map((column) => sql.identifier(column)),
    sql`, `,
  )

/** Destroys that many rows of a tenant's at the most, and counts them in the same transaction. */
export const eraseRows = (
  system: Database,
  tenantId: TenantId,
  table: ErasableTable,
  limit: number,
): Promise<number> =>
  system.transaction(async ({ db }) => {
    const target = sql`hotswap.${sql.identifier(table.name)}`
    const key = names(table.key)
    const rows = await db.execute(sql`
      delete from ${target} where tenant_id = ${tenantId} and (${key}) in (
        select ${key} from ${target} where tenant_id = ${tenantId} limit ${limit}) returning tenant_id`)
    if (rows.length > 0) await addCount(db, tenantId, table.name, rows.length)
    return rows.length
  })

const addCount = async (
  db: Connection["db"],
  tenantId: TenantId,
  table: string,
  count: number,
): Promise<void> => {
  await db.execute(sql`
    update hotswap.erasures set counts = counts || jsonb_build_object(${table}::text,
      coalesce((counts ->> ${table}::text)::bigint, 0) + ${count}::bigint)
    where tenant_id = ${tenantId}`)
}

/** Adds up what was destroyed elsewhere. */
export const addOutside = (
  system: Database,
  tenantId: TenantId,
  counts: Readonly<Record<string, number>>,
): Promise<void> =>
  system.transaction(async ({ db }) => {
    for (const [name, count] of Object.entries(counts))
      await db.execute(sql`
        update hotswap.erasures set outside = outside || jsonb_build_object(${name}::text,
          coalesce((outside ->> ${name}::text)::bigint, 0) + ${count}::bigint)
        where tenant_id = ${tenantId}`)
  })

/** The same of what can be counted before it is destroyed: again, it is never more than the first time. */
export const atLeastOutside = (
  system: Database,
  tenantId: TenantId,
  counts: Readonly<Record<string, number>>,
): Promise<void> =>
  system.transaction(async ({ db }) => {
    for (const [name, count] of Object.entries(counts))
      await db.execute(sql`
        update hotswap.erasures set outside = outside || jsonb_build_object(${name}::text,
          greatest(coalesce((outside ->> ${name}::text)::bigint, 0), ${count}::bigint))
        where tenant_id = ${tenantId}`)
  })

/** Archives of the tenant that came from elsewhere and are kept as the platform's: marked as removed. Again, the same ones. */
export const giveUpForeign = (database: Database, tenantId: TenantId): Promise<string[]> =>
  withTenant(database, PLATFORM, async ({ db }) => {
    const rows = await db.execute<{ id: string }>(sql`
      update hotswap.backups set state = 'removed', held = false, removed_at = coalesce(removed_at, clock_timestamp())
      where tenant_id = ${PLATFORM} and source = ${tenantId} and origin <> 'hand_over' returning backup_id as id`)
    return rows.map(({ id }) => id)
  })

/** As the system role sees it. */
export const erasureOf = (system: Database, tenantId: TenantId): Promise<Erasure | null> =>
  system.transaction(async ({ db }) => {
    const [row] = await db.select().from(erasures).where(eq(erasures.tenantId, tenantId))
    return (row as Erasure | undefined) ?? null
  })
