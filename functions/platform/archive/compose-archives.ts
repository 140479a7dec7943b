import type { Database } from "../../../db/client.ts"
import type { BlobStore } from "../blob-store.ts"
import type { Clock } from "../clock.ts"
import { openersOf } from "../deployment-keys.ts"
import { archiveKeys } from "../keys/archive-keys.ts"
import type { KeyRing } from "../keys/key-ring.ts"
import type { Settings } from "../settings.ts"
import { type Archives, createArchives } from "./archives.ts"

/** Archives as a deployment keeps them: its key ring opens its own, its receiving key those that were handed to it. */
export const composeArchives = (parts: {
  blobs: BlobStore
  db: Database
  keyRing: KeyRing | undefined
  clock: Clock
  settings: Pick<Settings, "handOverKey">
}): Archives =>
  createArchives({
    blobs: parts.blobs,
    keys: archiveKeys({ ...parts, others: openersOf(parts.settings.handOverKey) }),
  })
