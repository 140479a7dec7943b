import { and, asc, desc, eq, gt, lte, sql } from "drizzle-orm"
import type { AuditBody } from "../../core/audit/entry.ts"
import { type AuditPerson, pseudonymsIn } from "../../core/audit/people.ts"
import type { KeptEntry } from "../../core/audit/verify.ts"
import type { Instant } from "../../core/change/change.ts"
import type { ScopeId } from "../../core/ids.ts"
import type { Database } from "../client.ts"
import { auditEntries } from "../schema/audit.ts"
import { auditCheckpoints, auditDrops, auditRetention } from "../schema/audit-checkpoints.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { appendAudit } from "./audit.ts"
import { findAuditPeople } from "./audit-people.ts"
import { type Remember, remember } from "./replies.ts"

/** A signed checkpoint as it is kept. */
export interface KeptCheckpoint {
  size: number
  /** The size of the one before. */
  after: number
  note: string
  /** 32 bytes a subtree. */
  frontier: Uint8Array
  /** 32 bytes an entry since the one before. */
  hashes: Uint8Array
  at: Instant
}

const columns = {
  size: auditCheckpoints.size,
  after: auditCheckpoints.after,
  note: auditCheckpoints.note,
  frontier: auditCheckpoints.frontier,
  hashes: auditCheckpoints.hashes,
  at: auditCheckpoints.at,
}

const checkpointOf = (
  row: { frontier: string; hashes: string } & Omit<KeptCheckpoint, "frontier" | "hashes">,
) => ({
  ...row,
  frontier: Buffer.from(row.frontier, "hex"),
  hashes: Buffer.from(row.hashes, "hex"),
})

/** Checkpoints of more than `above` entries, oldest first. */
export const listCheckpoints = (
  database: Database,
  scope: ScopeId,
  { above, limit }: { above: number; limit: number },
): Promise<KeptCheckpoint[]> =>
  withTenant(database, scope, async (tx) => {
    const rows = await tx.db
      .select(columns)
      .from(auditCheckpoints)
      .where(and(eq(auditCheckpoints.tenantId, scope), gt(auditCheckpoints.size, above)))
      .orderBy(asc(auditCheckpoints.size))
      .limit(limit)
    return rows.map(checkpointOf)
  })

/** The last checkpoint of at most `size` entries; without a size, the last one. */
export const checkpointUpTo = (
  database: Database,
  scope: ScopeId,
  size = Number.MAX_SAFE_INTEGER,
): Promise<KeptCheckpoint | null> =>
  withTenant(database, scope, async (tx) => {
    const [row] = await tx.db
      .select(columns)
      .from(auditCheckpoints)
      .where(and(eq(auditCheckpoints.tenantId, scope), lte(auditCheckpoints.size, size)))
      .orderBy(desc(auditCheckpoints.size))
      .limit(1)
    return row ? checkpointOf(row) : null
  })

/** What was dropped last because of its age. */
export const lastDrop = (
  database: Database,
  scope: ScopeId,
): Promise<{ through: number; note: string } | null> =>
  withTenant(database, scope, async (tx) => {
    const [row] = await tx.db
      .select({ through: auditDrops.through, note: auditDrops.note })
      .from(auditDrops)
      .where(eq(auditDrops.tenantId, scope))
      .orderBy(desc(auditDrops.through))
      .limit(1)
    return row ?? null
  })

/** Entries after a sequence number, oldest first, their bodies as the text that was hashed. */
export const keptEntries = (
  database: Database,
  scope: ScopeId,
  range: { afterSeq: number; limit: number },
): Promise<KeptEntry[]> => withTenant(database, scope, (tx) => entriesOf(tx, range))

const entriesOf = (
  tx: TenantTx,
  { afterSeq, limit }: { afterSeq: number; limit: number },
): Promise<KeptEntry[]> => {
  const { seq, at, body, prev, hash } = auditEntries
  return tx.db
    .select({ seq, at, body, prev, hash })
    .from(auditEntries)
    .where(and(eq(auditEntries.tenantId, tx.scope), gt(seq, afterSeq)))
    .orderBy(asc(seq))
    .limit(limit)
}

/** The same, with those of whom they speak and who are not erased. */
export const keptPage = (
  database: Database,
  scope: ScopeId,
  range: { afterSeq: number; limit: number },
): Promise<{ entries: KeptEntry[]; people: Map<string, AuditPerson> }> =>
  withTenant(database, scope, async (tx) => {
    const entries = await entriesOf(tx, range)
    const wanted = entries.flatMap(({ body }) => pseudonymsIn(JSON.parse(body) as AuditBody))
    const people = await findAuditPeople(tx, [...new Set(wanted)])
    return { entries, people: new Map(people.map((person) => [person.pseudonym, person])) }
  })

/**
 * Which entries a stretch of time holds: those after `afterSeq` up to `lastSeq`. Times never go back, so they are all
 * that lie between.
 */
export const stretchOf = (
  database: Database,
  scope: ScopeId,
  { from, to }: { from?: Instant | undefined; to?: Instant | undefined },
): Promise<{ afterSeq: number; lastSeq: number }> =>
  withTenant(database, scope, async (tx) => {
    const [row] = await tx.db.execute<{ first: string; last: string; lowest: string }>(sql`
      select
        (select coalesce(min(seq), 0) from hotswap.audit_entries where tenant_id = ${scope}) as lowest,
        coalesce((select seq from hotswap.audit_entries where tenant_id = ${scope} and at >= ${from ?? "-infinity"}
          order by at, seq limit 1), 9007199254740991) as first,
        coalesce((select seq from hotswap.audit_entries where tenant_id = ${scope} and at < ${to ?? "infinity"}
          order by at desc, seq desc limit 1), 0) as last`)
    const first = Number(row?.first)
    const lastSeq = Number(row?.last)
    // Of nothing: no entries after the last one there is.
    return { afterSeq: Math.max(0, Math.min(first - 1, Math.max(lastSeq, Number(row?.lowest) - 1))), lastSeq }
  })

/** For how many days a scope keeps its entries; `null`: for ever. */
export const findRetention = (database: Database, scope: ScopeId): Promise<number | null> =>
  withTenant(database, scope, async (tx) => {
    const [row] = await tx.db
      .select({ days: auditRetention.days })
      .from(auditRetention)
      .where(eq(auditRetention.tenantId, scope))
    return row?.days ?? null
  })

/** Throws `KeyTaken`. */
export const setRetention = (
  database: Database,
  scope: ScopeId,
  days: number | null,
  audit: AuditBody,
  reply?: Remember<number | null>,
): Promise<void> =>
  withTenant(database, scope, async (tx) => {
    if (days === null) await tx.db.delete(auditRetention).where(eq(auditRetention.tenantId, scope))
    else
      await tx.db
        .insert(auditRetention)
        .values({ tenantId: scope, days })
        .onConflictDoUpdate({
          target: auditRetention.tenantId,
          set: { days, updatedAt: sql`clock_timestamp()` },
        })
    await appendAudit(tx, [audit])
    await remember(tx, reply, days)
  })
