import { and, desc, eq, inArray, lt, ne, or, sql } from "drizzle-orm"
import type { AuditBody } from "../../core/audit/entry.ts"
import type { BackupOrigin, LocationStatus } from "../../core/backup/backup.ts"
import type { Instant } from "../../core/change/change.ts"
import type { ScopeId } from "../../core/ids.ts"
import type { Database } from "../client.ts"
import { backups } from "../schema/backups.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { appendAudit } from "./audit.ts"
import { heldSchedule } from "./backup-schedules.ts"

/** What is known here of an archive. */
export type BackupRow = Omit<typeof backups.$inferSelect, "tenantId" | "source"> & {
  tenantId: ScopeId
  source: ScopeId
}
export type BackupState = BackupRow["state"]

const one = (scope: ScopeId, backupId: string) =>
  and(eq(backups.tenantId, scope), eq(backups.backupId, backupId))

/** `backupId` is a UUID. */
export const findBackup = (database: Database, scope: ScopeId, backupId: string): Promise<BackupRow | null> =>
  withTenant(database, scope, (tx) => backupOf(tx, backupId))

export const backupOf = async (tx: TenantTx, backupId: string): Promise<BackupRow | null> => {
  const [row] = await tx.db.select().from(backups).where(one(tx.scope, backupId))
  return (row as BackupRow | undefined) ?? null
}

/** Newest first; those that were removed only when they are asked for. */
export const listBackups = (
  database: Database,
  scope: ScopeId,
  { limit, before, state }: { limit: number; before?: string; state?: BackupState },
): Promise<BackupRow[]> =>
  withTenant(database, scope, async (tx) => {
    const fits = and(
      eq(backups.tenantId, scope),
      state === undefined ? ne(backups.state, "removed") : eq(backups.state, state),
      before === undefined ? undefined : lt(backups.backupId, before),
    )
    const rows = await tx.db.select().from(backups).where(fits).orderBy(desc(backups.backupId)).limit(limit)
    return rows as BackupRow[]
  })

/** Made here, of the scope's own rows. */
const OWN: BackupOrigin[] = ["requested", "scheduled"]

/** The last whole archive of the scope's that was made here before that one. */
export const lastComplete = (database: Database, scope: ScopeId, before: string): Promise<BackupRow | null> =>
  withTenant(database, scope, async (tx) => {
    const isOwn = and(
      eq(backups.tenantId, scope),
      eq(backups.source, scope),
      eq(backups.state, "complete"),
      inArray(backups.origin, OWN),
      lt(backups.backupId, before),
    )
    const [row] = await tx.db.select().from(backups).where(isOwn).orderBy(desc(backups.backupId)).limit(1)
    return (row as BackupRow | undefined) ?? null
  })

export type NewBackup = Pick<BackupRow, "backupId" | "origin" | "createdBy" | "jobId">

/** That an archive is being written. One that was begun before is what it was. */
export const beginBackup = async (tx: TenantTx, backup: NewBackup): Promise<void> => {
  await tx.db
    .insert(backups)
    .values({ ...backup, tenantId: tx.scope, source: tx.scope, state: "writing" })
    .onConflictDoNothing()
}

export type BackupDone = Pick<
  BackupRow,
  | "at"
  | "schemaVersion"
  | "revision"
  | "fingerprint"
  | "manifestHash"
  | "rowCounts"
  | "parts"
  | "plainBytes"
  | "packedBytes"
  | "writtenBytes"
  | "locations"
>

/** `null`: it is not being written any more. */
export const completeBackup = async (
  tx: TenantTx,
  backupId: string,
  done: BackupDone,
  audit: AuditBody,
): Promise<BackupRow | null> => {
  const [row] = await tx.db
    .update(backups)
    .set({ ...done, state: "complete" })
    .where(and(one(tx.scope, backupId), eq(backups.state, "writing")))
    .returning()
  if (row) await appendAudit(tx, [audit])
  return (row as BackupRow | undefined) ?? null
}

/** What a reading of all of it at each location found. */
export const noteValidation = async (
  tx: TenantTx,
  backupId: string,
  { locations, verifiedAt }: { locations: LocationStatus[]; verifiedAt: Instant | null },
  audit: AuditBody,
): Promise<void> => {
  await tx.db
    .update(backups)
    .set({ locations, ...(verifiedAt === null ? {} : { verifiedAt }) })
    .where(one(tx.scope, backupId))
  await appendAudit(tx, [audit])
}

export type BackupAltered = { kind: "altered"; backup: BackupRow } | { kind: "missing" }

/** Whether retention is to leave it alone, and nobody may delete it. */
export const holdBackup = (
  database: Database,
  scope: ScopeId,
  backupId: string,
  held: boolean,
  audit: AuditBody,
): Promise<BackupAltered> =>
  withTenant(database, scope, async (tx) => {
    const isOther = and(one(scope, backupId), ne(backups.state, "removed"), ne(backups.held, held))
    const [row] = await tx.db
      .update(backups)
      .set({ held })
      .where(isOther)
      .returning({ backupId: backups.backupId })
    if (row) await appendAudit(tx, [audit])
    const found = await backupOf(tx, backupId)
    return found && found.state !== "removed" ? { kind: "altered", backup: found } : { kind: "missing" }
  })

export type BackupRemoved = { kind: "removed" | "missing" | "held" | "last" | "writing" }

/** Whole at one location at least. */
const isGood = and(
  eq(backups.source, backups.tenantId),
  eq(backups.state, "complete"),
  inArray(backups.origin, OWN),
  sql`${backups.locations} @> '[{"ok": true}]'`,
)

/**
 * That it is to go: whoever looks after retention takes it out of the store. Of a scope's own archives the last one that is
 * whole stays. Removing what was removed is harmless.
 */
export const removeBackup = (
  database: Database,
  scope: ScopeId,
  backupId: string,
  audit: AuditBody,
): Promise<BackupRemoved> =>
  withTenant(database, scope, async (tx) => {
    // Retention, which gives up others of them, holds it too: each sees what the other has left.
    await heldSchedule(tx)
    // Locked together, in one order: of two who remove one each, the second sees what the first has left.
    const locked = await tx.db
      .select({ backupId: backups.backupId, isGood: sql<boolean>`${isGood}` })
      .from(backups)
      .where(and(eq(backups.tenantId, scope), or(eq(backups.backupId, backupId), isGood)))
      .orderBy(backups.backupId)
      .for("update")
    const row = await backupOf(tx, backupId)
    if (!row) return { kind: "missing" }
    if (row.state === "removed") return { kind: "removed" }
    if (row.state === "writing") return { kind: "writing" }
    if (row.held) return { kind: "held" }
    const good = locked.filter((one) => one.isGood)
    if (good.length === 1 && good[0]!.backupId === backupId) return { kind: "last" }
    await tx.db
      .update(backups)
      .set({ state: "removed", removedAt: sql`clock_timestamp()` })
      .where(one(scope, backupId))
    await appendAudit(tx, [audit])
    return { kind: "removed" }
  })
