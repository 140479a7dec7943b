import { and, eq, isNull, lt, ne, or } from "drizzle-orm"
import type { BackupOrigin } from "../core/backup/backup.ts"
import type { Instant } from "../core/change/change.ts"
import type { ScopeId } from "../core/ids.ts"
import type { Database } from "./client.ts"
import { backups } from "./schema/backups.ts"

export interface StaleTransfer {
  tenantId: ScopeId
  source: ScopeId
  backupId: string
  origin: BackupOrigin
}

/** Uploads that nobody completed, and hand-overs that nobody takes in any more, the oldest first. */
export const staleTransfers = (
  system: Database,
  {
    importsBefore,
    handOversBefore,
    limit,
  }: { importsBefore: Instant; handOversBefore: Instant; limit: number },
): Promise<StaleTransfer[]> =>
  system.transaction(async ({ db }) => {
    const unfinished = and(eq(backups.state, "writing"), isNull(backups.jobId), lt(backups.at, importsBefore))
    const outdated = and(
      eq(backups.origin, "hand_over"),
      ne(backups.state, "removed"),
      eq(backups.held, false),
      lt(backups.at, handOversBefore),
    )
    const rows = await db
      .select({
        tenantId: backups.tenantId,
        source: backups.source,
        backupId: backups.backupId,
        origin: backups.origin,
      })
      .from(backups)
      .where(or(unfinished, outdated))
      .orderBy(backups.at)
      .limit(limit)
    return rows as StaleTransfer[]
  })
