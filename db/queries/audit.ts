import { and, asc, desc, eq, gt, gte, inArray, lt, type SQL, sql } from "drizzle-orm"
import type { AuditBody, AuditEntry } from "../../core/audit/entry.ts"
import { apart, isCalled, named, pseudonymsIn } from "../../core/audit/people.ts"
import type { Instant } from "../../core/change/change.ts"
import type { Environment } from "../../core/environment.ts"
import type { ScopeId } from "../../core/ids.ts"
import type { Database } from "../client.ts"
import { auditEntries, auditHeads } from "../schema/audit.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { findAuditPeople, pseudonymOf } from "./audit-people.ts"

/** Adds to the tenant's chain. Call it last: other writers of the tenant wait from here to the end of the transaction. */
export const appendAudit = async (tx: TenantTx, bodies: readonly AuditBody[]) => {
  const texts = JSON.stringify(bodies.map(apart))
  await tx.db.execute(sql`select hotswap.append_audit(${tx.scope}, ${texts}::jsonb, clock_timestamp())`)
}

/** Adds what is no part of another write, such as that somebody has read something. */
export const recordAudit = (database: Database, scope: ScopeId, body: AuditBody): Promise<void> =>
  withTenant(database, scope, (tx) => appendAudit(tx, [body]))

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

/** An entry with the names of those who are not erased; its hash is over `raw`, where pseudonyms stand. */
export interface NamedEntry extends AuditEntry {
  raw: AuditBody
}

const conditionsOf = (filter: Omit<AuditFilter, "actor" | "limit">): SQL[] => {
  const { from, to, before } = filter
  return [
    filter.action !== undefined && eq(action, filter.action),
    filter.target !== undefined && eq(target, filter.target),
    filter.environment !== undefined &&
      sql`coalesce(${auditEntries.body}::jsonb ->> 'environment', ${filter.environment}) = ${filter.environment}`,
    from !== undefined && gte(at, from),
    to !== undefined && lt(at, to),
    before !== undefined && lt(seq, before),
  ].filter((condition) => condition !== false)
}

/** Entries that fit, newest first. `actor` is a name or a pseudonym. */
export const listAudit = (database: Database, scope: ScopeId, filter: AuditFilter): Promise<NamedEntry[]> =>
  withTenant(database, scope, async (tx) => {
    const conditions = conditionsOf(filter)
    if (filter.actor !== undefined) {
      // Entries that are older than pseudonyms hold the name itself.
      const pseudonym = await pseudonymOf(tx, filter.actor)
      conditions.push(inArray(actor, [filter.actor, ...(pseudonym === null ? [] : [pseudonym])]))
    }
    const rows = await entries(tx, conditions, desc(seq), filter.limit)
    const people = await findAuditPeople(tx, [...new Set(rows.flatMap(({ body }) => pseudonymsIn(body)))])
    // A row that somebody else was written into is nobody's.
    const names = new Map(people.filter(isCalled).map(({ pseudonym, subject }) => [pseudonym, subject]))
    return rows.map((row) => ({ ...row, body: named(row.body, names), raw: row.body }))
  })

/** Entries after a sequence number, oldest first, as they were hashed: for verifying piece by piece. */
export const auditRange = (
  database: Database,
  scope: ScopeId,
  { afterSeq, limit }: { afterSeq: number; limit: number },
): Promise<AuditEntry[]> =>
  withTenant(database, scope, (tx) => entries(tx, [gt(seq, afterSeq)], asc(seq), limit))

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

const entries = async (tx: TenantTx, conditions: SQL[], order: SQL, limit: number): Promise<AuditEntry[]> => {
  const rows = await tx.db
    .select({ seq, at, body: auditEntries.body, prev: auditEntries.prev, hash: auditEntries.hash })
    .from(auditEntries)
    .where(and(eq(tenantId, tx.scope), ...conditions))
    .orderBy(order)
    .limit(limit)
  return rows.map((row) => ({ ...row, body: JSON.parse(row.body) as AuditBody }))
}
