import { and, eq, inArray } from "drizzle-orm"
import type { AuditPerson } from "../../core/audit/people.ts"
import { auditHeads } from "../schema/audit.ts"
import { auditPeople } from "../schema/audit-people.ts"
import type { TenantTx } from "../tenant.ts"

const { tenantId, pseudonym, subject, salt } = auditPeople

/** Who they are, as far as that was not erased. */
export const findAuditPeople = async (
  tx: TenantTx,
  pseudonyms: readonly string[],
): Promise<AuditPerson[]> => {
  if (pseudonyms.length === 0) return []
  const rows = await tx.db
    .select({ pseudonym, subject, salt })
    .from(auditPeople)
    .where(and(eq(tenantId, tx.scope), inArray(pseudonym, [...pseudonyms])))
  return rows.map((row) => ({ ...row, salt: Buffer.from(row.salt, "hex") }))
}

/** What stands in the audit for somebody; `null` if nothing does. */
export const pseudonymOf = async (tx: TenantTx, name: string): Promise<string | null> => {
  const [row] = await tx.db
    .select({ pseudonym })
    .from(auditPeople)
    .where(and(eq(tenantId, tx.scope), eq(subject, name)))
  return row?.pseudonym ?? null
}

/** Nobody of the scope writes into the audit meanwhile, and so nobody puts back what is being erased. */
const lockHead = (tx: TenantTx) =>
  tx.db
    .select({ seq: auditHeads.seq })
    .from(auditHeads)
    .where(eq(auditHeads.tenantId, tx.scope))
    .for("update")

/**
 * Forgets who somebody was: of them only the pseudonym is left, which nobody can guess back. First in its transaction.
 * Returns that pseudonym; `null` if they never stood in the audit.
 */
export const eraseAuditPerson = async (tx: TenantTx, name: string): Promise<string | null> => {
  await lockHead(tx)
  const [row] = await tx.db
    .delete(auditPeople)
    .where(and(eq(tenantId, tx.scope), eq(subject, name)))
    .returning({ pseudonym })
  return row?.pseudonym ?? null
}

/** The same for everybody in the scope's audit. Returns how many. */
export const eraseAllAuditPeople = async (tx: TenantTx): Promise<number> => {
  await lockHead(tx)
  const rows = await tx.db.delete(auditPeople).where(eq(tenantId, tx.scope)).returning({ pseudonym })
  return rows.length
}
