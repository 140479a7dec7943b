import { homeOf } from "../../core/backup/backup.ts"
import { HAND_OVER_VALID_MS } from "../../core/backup/hand-over.ts"
import type { JsonObject } from "../../core/json.ts"
import { dropTransfer } from "../../db/queries/imports.ts"
import { type StaleTransfer, staleTransfers } from "../../db/system-imports.ts"
import { blobNames } from "../platform/blob-store.ts"
import type { BackupPlatform } from "../platform/compose-backup.ts"
import { handOverRoot } from "../platform/deployment-keys.ts"
import { stagedName } from "../platform/staged-imports.ts"

type TransferPlatform = Pick<BackupPlatform, "db" | "system" | "blobs" | "clock" | "log">

const UNFINISHED_MS = 24 * 60 * 60_000
const AT_ONCE = 50

/**
 * Takes away uploads that nobody completed within a day, and archives for other deployments that these do not take in any
 * more. The parts of an upload are then named by no manifest, which retention looks for.
 */
export const removeStaleTransfers = (platform: TransferPlatform) => async (): Promise<JsonObject> => {
  const now = platform.clock.nowMs()
  const stale = await staleTransfers(platform.system, {
    importsBefore: new Date(now - UNFINISHED_MS).toISOString(),
    handOversBefore: new Date(now - HAND_OVER_VALID_MS).toISOString(),
    limit: AT_ONCE,
  })
  let removed = 0
  for (const transfer of stale)
    try {
      await removeTransfer(platform, transfer)
      removed++
    } catch (error) {
      const { tenantId, backupId } = transfer
      platform.log.warn("what was left of a transfer could not be removed", { tenantId, backupId, error })
    }
  return { found: stale.length, removed }
}

/** The blobs first: what is listed still is looked for again. */
const removeTransfer = async ({ db, blobs }: TransferPlatform, transfer: StaleTransfer): Promise<void> => {
  const { tenantId, backupId, origin } = transfer
  if (origin === "hand_over")
    for await (const name of blobNames(blobs, handOverRoot(tenantId, backupId))) await blobs.remove(name)
  else await blobs.remove(stagedName(homeOf(transfer), backupId))
  await dropTransfer(db, tenantId, backupId)
}
