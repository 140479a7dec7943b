import { and, asc, desc, eq, gt, gte, lt, type SQL, sql } from "drizzle-orm"
import type { AuditBody, AuditEntry } from "../../core/audit/entry.ts"
import type { Instant } from "../../core/change/change.ts"
import type { Environment } from "../../core/environment.ts"
import type { ScopeId } from "../../core/ids.ts"
import { canonical, type Json } from "../../core/json.ts"
import type { Database } from "../client.ts"
import { auditEntries, auditHeads } from "../schema/audit.ts"
import { type TenantTx, withTenant } from "../tenant.ts"

/** Adds to the tenant's chain. Call it last: other writers of the tenant wait from here to the end of the transaction. */
export const appendAudit = async (tx: TenantTx, bodies: readonly AuditBody[]) => {
  const texts = JSON.stringify(bodies.map((body) => canonical({ ...body } as unknown as Json)))
  await tx.db.execute(sql`select hotswap.append_audit(${tx.scope}, ${texts}::jsonb, clock_timestamp())`)
}

export interface AuditFilter {
  actor?: string
  action?: string
  target?: string
  /** Entries of other environments are left out; those of the tenant as a whole are not. */
  environment?: Environment
  /** Inclusive. */
  from?: Instant
  /** Exclusive. */
  to?: Instant
  /** Entries below this `seq`: the last one of the page before. */
  before?: number
  limit: number
}

const { tenantId, seq, at, actor, action, target } = auditEntries

/** Entries that fit, newest first. */
export const listAudit = (database: Database, scope: ScopeId, filter: AuditFilter): Promise<AuditEntry[]> => {
  const { from, to, before } = filter
  const conditions = [
    filter.actor !== undefined && eq(actor, filter.actor),
    filter.action !== undefined && eq(action, filter.action),
    filter.target !== undefined && eq(target, filter.target),
    filter.environment !== undefined &&
      sql`coalesce(${auditEntries.body}::jsonb ->> 'environment', ${filter.environment}) = ${filter.environment}`,
    from !== undefined && gte(at, from),
    to !== undefined && lt(at, to),
    before !== undefined && lt(seq, before),
  ].filter((condition) => condition !== false)
  return entries(database, scope, conditions, desc(seq), filter.limit)
}

/** Entries after a sequence number, oldest first: for verifying and exporting piece by piece. */
export const auditRange = (
  database: Database,
  scope: ScopeId,
  { afterSeq, limit }: { afterSeq: number; limit: number },
): Promise<AuditEntry[]> => entries(database, scope, [gt(seq, afterSeq)], asc(seq), limit)

/** Where the chain ends; `null` when nothing was ever written. */
export const auditHead = (
  database: Database,
  scope: ScopeId,
): Promise<{ seq: number; hash: string } | null> =>
  withTenant(database, scope, async (tx) => {
    const head = { seq: auditHeads.seq, hash: auditHeads.hash }
    const [row] = await tx.db.select(head).from(auditHeads).where(eq(auditHeads.tenantId, scope))
    return row ?? null
  })

const entries = (database: Database, scope: ScopeId, conditions: SQL[], order: SQL, limit: number) =>
  withTenant(database, scope, async (tx) => {
    const rows = await tx.db
      .select({ seq, at, body: auditEntries.body, prev: auditEntries.prev, hash: auditEntries.hash })
      .from(auditEntries)
      .where(and(eq(tenantId, scope), ...conditions))
      .orderBy(order)
      .limit(limit)
    return rows.map((row): AuditEntry => ({ ...row, body: JSON.parse(row.body) as AuditBody }))
  })
