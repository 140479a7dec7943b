import { and, eq, or, sql } from "drizzle-orm"
import type { AuditBody } from "../../core/audit/entry.ts"
import type { BackupOrigin } from "../../core/backup/backup.ts"
import type { ScopeId } from "../../core/ids.ts"
import type { Database } from "../client.ts"
import { backups } from "../schema/backups.ts"
import { withTenant } from "../tenant.ts"
import { appendAudit } from "./audit.ts"
import { beginWriting } from "./backup-schedules.ts"
import { type BackupDone, type BackupRow, backupOf } from "./backups.ts"
import { isTombstone } from "./erasure.ts"

export type NewImport = Pick<BackupRow, "backupId" | "source" | "createdBy"> & {
  /** In whose list it will be. */
  tenantId: ScopeId
  origin: BackupOrigin
  /** Hex. */
  manifestHash: string
}

/** `busy`: parts are just being removed there. */
export type ImportBegun = { kind: "begun" | "there"; backup: BackupRow } | { kind: "busy" }

/** That an archive is being taken in. One of that id that is there stays as it is. */
export const beginImport = (
  database: Database,
  { tenantId, ...wanted }: NewImport,
  audit: AuditBody,
): Promise<ImportBegun> =>
  withTenant(database, tenantId, async (tx) => {
    const there = await backupOf(tx, wanted.backupId)
    if (there) return { kind: "there", backup: there }
    if (!(await beginWriting(tx))) return { kind: "busy" }
    const [made] = await tx.db
      .insert(backups)
      .values({ ...wanted, tenantId, state: "writing" })
      .onConflictDoNothing()
      .returning()
    if (!made) return { kind: "there", backup: (await backupOf(tx, wanted.backupId))! }
    await appendAudit(tx, [audit])
    return { kind: "begun", backup: made as BackupRow }
  })

/**
 * Lists an archive that is whole in the store. `known`: there is one of that id already. `erased`: its scope is not here because it was
 * deleted, and its archives are being removed, or were.
 */
export const adoptBackup = (
  database: Database,
  backup: Omit<NewImport, "manifestHash">,
  done: BackupDone,
  audit: AuditBody,
): Promise<"adopted" | "known" | "erased"> =>
  withTenant(database, backup.tenantId, async (tx) => {
    if (backup.tenantId !== backup.source && (await tx.as(backup.source, isTombstone))) return "erased"
    const rows = await tx.db
      .insert(backups)
      .values({ ...backup, ...done, state: "complete" })
      .onConflictDoNothing()
      .returning({ backupId: backups.backupId })
    if (rows.length > 0) await appendAudit(tx, [audit])
    return rows.length > 0 ? "adopted" : "known"
  })

/** That it is gone, without an entry of its own: nobody asked for it. An upload that was completed meanwhile stays. */
export const dropTransfer = (database: Database, scope: ScopeId, backupId: string): Promise<void> =>
  withTenant(database, scope, async (tx) => {
    await tx.db
      .update(backups)
      .set({ state: "removed", removedAt: sql`clock_timestamp()` })
      .where(
        and(
          eq(backups.tenantId, scope),
          eq(backups.backupId, backupId),
          or(eq(backups.state, "writing"), eq(backups.origin, "hand_over")),
        ),
      )
  })

/** That somebody takes an archive away: before they have it. */
export const noteDownload = (database: Database, scope: ScopeId, audit: AuditBody): Promise<void> =>
  withTenant(database, scope, (tx) => appendAudit(tx, [audit]))
