import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ScopeId } from "../../../core/ids.ts"
import { SCHEDULE_OWNER } from "../../../core/job/job.ts"
import { type Database, openDatabase } from "../../../db/client.ts"
import { type ArchiveWish, type CreatePlatform, createArchive } from "../../../functions/backup/create.ts"
import { createArchives } from "../../../functions/platform/archive/archives.ts"
import { type BlobLocation, severalLocations } from "../../../functions/platform/blob-locations.ts"
import { diskBlobStore } from "../../../functions/platform/blob-store-disk.ts"
import type { Clock } from "../../../functions/platform/clock.ts"
import { systemIds } from "../../../functions/platform/ids.ts"
import { archiveKeys } from "../../../functions/platform/keys/archive-keys.ts"
import type { KeyRing } from "../../../functions/platform/keys/key-ring.ts"

/** A folder of a test's own, inside the run's, which is taken away as a whole. */
const scratchFolder = (): string => mkdtempSync(join(tmpdir(), "hotswap-archives-"))

export interface ArchiveWorld extends CreatePlatform {
  /** The folders of its locations. */
  folders: readonly string[]
  /** Archives a scope as a job would. */
  backUp: (
    scope: string,
    wish?: Partial<ArchiveWish>,
    context?: Parameters<typeof createArchive>[2],
  ) => ReturnType<typeof createArchive>
  close: () => Promise<void>
}

export const UNDISTURBED = { progress: async () => {}, signal: new AbortController().signal }

/** What archives are made with, over a test's database. */
export const archiveWorld = (
  parts: { app: Database; url: (role: "hotswap_app") => string },
  { keyRing, clock, places = 1 }: { keyRing: KeyRing; clock: Clock; places?: number },
): ArchiveWorld => {
  const folders = Array.from({ length: places }, scratchFolder)
  const locations: BlobLocation[] = folders.map((folder, nth) => ({
    name: nth === 0 ? "primary" : "copy",
    store: diskBlobStore(folder),
  }))
  const bulk = openDatabase({
    url: parts.url("hotswap_app"),
    applicationName: "bulk",
    max: 4,
    deadlineMs: 30_000,
  })
  const blobs = severalLocations(locations)
  const keys = archiveKeys({ db: parts.app, keyRing, clock })
  const platform = { db: parts.app, bulk, blobs, archives: createArchives({ blobs, keys }), clock }
  return {
    ...platform,
    folders,
    backUp: (scope, wish = {}, context = UNDISTURBED) =>
      createArchive(
        platform,
        {
          scope: scope as ScopeId,
          backupId: systemIds.uuid(),
          origin: "requested",
          by: SCHEDULE_OWNER,
          jobId: systemIds.uuid(),
          includeEmptyTables: true,
          ...wish,
        },
        context,
      ),
    close: async () => {
      await bulk.close()
      for (const folder of folders) rmSync(folder, { recursive: true, force: true })
    },
  }
}
