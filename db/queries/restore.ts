import { eq, sql } from "drizzle-orm"
import postgres from "postgres"
import type { TableName } from "../../core/backup/rows.ts"
import type { Environment } from "../../core/environment.ts"
import type { TenantId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import type { Database } from "../client.ts"
import { tenantOrigins } from "../schema/backups.ts"
import { tenants } from "../schema/tenants.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { explain } from "../unavailable.ts"
import { isTombstone } from "./erasure.ts"
import { markAll } from "./pointers.ts"

/** What a tenant was made from here. */
export interface Origin {
  how: "restore" | "clone"
  source: string
  backupId: string
  jobId: string | null
  isDrill: boolean
  /** What was answered to whoever had it made. */
  result: JsonObject
}

/** Its row is there, be it that it is deleted. */
export const isTenantHere = (database: Database, tenantId: TenantId): Promise<boolean> =>
  withTenant(database, tenantId, async (tx) => {
    const rows = await tx.db
      .select({ id: tenants.tenantId })
      .from(tenants)
      .where(eq(tenants.tenantId, tx.scope))
    return rows.length > 0
  })

/** There is, or was, a tenant of that id. */
export const isTaken = (database: Database, tenantId: TenantId): Promise<boolean> =>
  withTenant(database, tenantId, async (tx) => {
    if (await isTombstone(tx)) return true
    const rows = await tx.db
      .select({ id: tenants.tenantId })
      .from(tenants)
      .where(eq(tenants.tenantId, tx.scope))
    return rows.length > 0
  })

/** `null`: it began here empty, or is not here. */
export const findOrigin = (database: Database, tenantId: TenantId): Promise<Origin | null> =>
  withTenant(database, tenantId, async (tx) => {
    const { how, source, backupId, jobId, isDrill, result } = tenantOrigins
    const [row] = await tx.db
      .select({ how, source, backupId, jobId, isDrill, result })
      .from(tenantOrigins)
      .where(eq(tenantOrigins.tenantId, tx.scope))
    return row ?? null
  })

export const insertOrigin = async (tx: TenantTx, origin: Origin): Promise<void> => {
  await tx.db.insert(tenantOrigins).values({ tenantId: tx.scope, ...origin })
}

/** Rows of the transaction's tenant, each as JSON text; columns that are not named get their defaults. */
export const insertRows = async (
  tx: TenantTx,
  table: TableName,
  columns: readonly string[],
  rows: readonly string[],
): Promise<void> => {
  const names = sql.join(
    columns.map((name) => sql.identifier(name)),
    sql`, `,
  )
  const into = sql`hotswap.${sql.identifier(table)}`
  await tx.db.execute(sql`
    insert into ${into} (${names})
    select ${names} from json_populate_recordset(null::${into}, ${`[${rows.join(",")}]`}::text::json)`)
}

/** Whoever publishes takes these for moved. */
export const markRestored = async (tx: TenantTx, environments: readonly Environment[]): Promise<void> => {
  if (environments.length > 0) await markAll(tx, environments)
}

/** That the database does not take a row, as it is no value of its column or breaks a constraint; what it holds is not told. */
export const whyNotTaken = (
  error: unknown,
): { table: string; constraint: string | null; why: string } | null => {
  const cause = explain(error)
  if (!(cause instanceof postgres.PostgresError) || !/^2[23]/.test(cause.code)) return null
  const constraint = cause.constraint_name ?? null
  const why = constraint === null ? `the database says ${cause.code}` : `it breaks "${constraint}"`
  return { table: cause.table_name ?? "", constraint, why }
}
