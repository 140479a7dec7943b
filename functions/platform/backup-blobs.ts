import { type BlobLocation, type Locations, severalLocations } from "./blob-locations.ts"
import type { BlobStore } from "./blob-store.ts"
import { diskBlobStore } from "./blob-store-disk.ts"
import { s3BlobStore } from "./blob-store-s3.ts"
import type { Clock } from "./clock.ts"
import type { Log } from "./log.ts"
import { type Settings, SettingsError } from "./settings.ts"

type Variables = Readonly<Record<string, string | undefined>>

interface Place {
  bucket: string | null
  region?: string | null
  directory: string | null
}

/** A bucket, or else a folder. */
export const blobsAt = (
  { bucket, region, directory }: Place,
  variables: Variables,
  settings: Pick<Settings, "blobEndpoint">,
  clock: Clock,
): BlobStore | undefined => {
  if (bucket) {
    const endpoint = settings.blobEndpoint ?? undefined
    return s3BlobStore({ bucket, variables, clock, endpoint, region: region ?? undefined })
  }
  return directory ? diskBlobStore(directory, clock) : undefined
}

/** Where archives are kept, at one place or two; `undefined`: no setting says where. */
export const backupBlobsOf = (
  variables: Variables,
  settings: Settings,
  clock: Clock,
  log?: Pick<Log, "warn">,
): Locations | undefined => {
  const { backupBucket, backupRegion, backupDirectory } = settings
  const { backupCopyBucket, backupCopyRegion, backupCopyDirectory } = settings
  const places: [string, Place][] = [
    ["primary", { bucket: backupBucket, region: backupRegion, directory: backupDirectory }],
    ["copy", { bucket: backupCopyBucket, region: backupCopyRegion, directory: backupCopyDirectory }],
  ]
  const locations = places.flatMap(([name, place]): BlobLocation[] => {
    const store = blobsAt(place, variables, settings, clock)
    return store ? [{ name, store }] : []
  })
  if (locations.length === 0) return undefined
  if (locations[0]?.name !== "primary")
    throw new SettingsError([
      "HOTSWAP_BACKUP_BUCKET is not set, nor HOTSWAP_BACKUP_DIRECTORY, though a place for copies is",
    ])
  return severalLocations(locations, ({ name, reason, doing }) =>
    log?.warn("a place for archives did not do its part", { location: name, doing, error: reason }),
  )
}

/** The same, for who does nothing but keep archives. Throws SettingsError where no setting says where. */
export const neededBackupBlobs = (...given: Parameters<typeof backupBlobsOf>): Locations => {
  const blobs = backupBlobsOf(...given)
  if (blobs === undefined)
    throw new SettingsError([
      "HOTSWAP_BACKUP_BUCKET is not set, nor HOTSWAP_BACKUP_DIRECTORY: archives are kept nowhere",
    ])
  return blobs
}
