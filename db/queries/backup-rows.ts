import { type SQL, sql } from "drizzle-orm"
import { ARCHIVED } from "../../core/backup/tables.ts"
import type { TenantTx } from "../tenant.ts"

/** A table's columns without the generated ones, in the catalog's order, and what its rows are ordered by. */
interface TableShape extends Record<string, unknown> {
  name: string
  columns: string[]
  order: string[]
}

/** Of tables that only grow: what comes before the primary key, so that what was there before stays in front. */
const GROWS_BY = {
  audit_people: "at",
  config_versions: "at",
  pointers: "at",
  releases: "at",
  report_reviews: "at",
  secret_values: "at",
}

/** Texts by their bytes: two databases may collate differently, and their archives must not. */
const shapesOf = async (tx: TenantTx): Promise<Map<string, TableShape>> => {
  const rows = await tx.db.execute<TableShape>(sql`
    select c.relname as name,
      (select jsonb_agg(quote_ident(a.attname) order by a.attnum) from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns,
      (select jsonb_agg(quote_ident(a.attname) || case when a.attcollation <> 0 then ' collate "C"' else '' end order by k.nth)
        from pg_index i cross join unnest(i.indkey::smallint[]) with ordinality k (attnum, nth)
        join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
        where i.indrelid = c.oid and i.indisprimary) as order
    from pg_class c where c.relnamespace = 'hotswap'::regnamespace and c.relkind in ('r', 'p')`)
  return new Map(rows.map((row) => [row.name, row]))
}

/** How far each row sees ahead, and how many bytes of what lies there are fetched at once. */
const AHEAD_ROWS = 64
const AHEAD_BYTES = 2_097_152

const selection = (scope: string, { name, columns, order }: TableShape): SQL => {
  const grows = (GROWS_BY as Record<string, string | undefined>)[name]
  const by = [...(grows === undefined ? [] : [grows]), ...order].join(", ")
  // Ordered before it is written as JSON: what is sorted leaves the large values where they are. `offset 0` keeps it so.
  return sql`
    select row, sum(octet_length(row)) over (rows between 1 following and ${sql.raw(String(AHEAD_ROWS))} following) as ahead
    from (select row_to_json(r)::text as row from (
      select ${sql.raw(columns.join(", "))} from hotswap.${sql.identifier(name)} where tenant_id = ${sql.raw(`'${scope}'`)}
      order by ${sql.raw(by)} offset 0) r offset 0) j`
}

export type RowsOf = (table: string) => AsyncGenerator<string, void, void>

/**
 * Reads the tables of the transaction's scope: one row's JSON text each, as PostgreSQL writes it, in UTC and with bytes in hex.
 * For a transaction that sees one instant; one table at a time. However large rows are, few of them are held.
 */
export const openRows = async (tx: TenantTx): Promise<RowsOf> => {
  const shapes = await shapesOf(tx)
  await tx.db.execute(sql`set local bytea_output = 'hex'`)
  return async function* (table) {
    const shape = ARCHIVED.some(({ name }) => name === table) ? shapes.get(table) : undefined
    if (!shape) throw new Error(`${table} is not archived`)
    const cursor = sql.identifier(`backup_${table}`)
    const fetch = (count: number) =>
      tx.db.execute<{ row: string; ahead: string | null }>(
        sql`fetch ${sql.raw(String(count))} from ${cursor}`,
      )
    const declared = tx.db.execute(sql`declare ${cursor} no scroll cursor for ${selection(tx.scope, shape)}`)
    // Sent together. One row says how large those after it are.
    let [, rows] = await Promise.all([declared, fetch(1)])
    while (rows.length > 0) {
      for (const { row } of rows) yield row
      const ahead = Number(rows.at(-1)!.ahead ?? 0)
      if (ahead === 0) break
      rows = await fetch(ahead <= AHEAD_BYTES ? AHEAD_ROWS : 1)
    }
    await tx.db.execute(sql`close ${cursor}`)
  }
}
