import type { LocationStatus } from "../../core/backup/backup.ts"
import type { Manifest } from "../../core/backup/manifest.ts"
import type { ScopeId } from "../../core/ids.ts"
import { ARCHIVE_ROOT, archiveName, partName } from "../platform/archive/names.ts"
import type { BlobLocation, Locations } from "../platform/blob-locations.ts"
import { blobNames } from "../platform/blob-store.ts"
import type { Clock } from "../platform/clock.ts"

/** Whether each location has all that an archive consists of, by names alone. For one that is whole somewhere. */
export const locationsOf = async (
  { blobs, clock }: { blobs: Locations; clock: Clock },
  home: ScopeId,
  { backupId, tables }: Manifest,
): Promise<LocationStatus[]> => {
  const wanted = new Set([
    archiveName(ARCHIVE_ROOT, home, backupId),
    ...tables.flatMap(({ parts }) => parts.map(({ id }) => partName(ARCHIVE_ROOT, home, id))),
  ])
  const checkedAt = clock.now().toISOString()
  const [only, ...others] = blobs.locations
  // Where there is one, it is what the archive was just written to, or read from.
  if (only && others.length === 0) return [{ name: only.name, ok: true, checkedAt }]
  return await Promise.all(
    blobs.locations.map(async (location) => {
      const problem = await lackOf(location, `${ARCHIVE_ROOT}/${home}`, wanted)
      return { name: location.name, ok: problem === null, checkedAt, ...(problem !== null && { problem }) }
    }),
  )
}

/** Tenants are told, too: not where on a machine, or in whose account, their archives are. */
const whyOf = (error: unknown): string => {
  const { code } = error as { code?: unknown }
  return typeof code === "string" ? ` (${code})` : ""
}

const lackOf = async (
  { store }: BlobLocation,
  folder: string,
  wanted: ReadonlySet<string>,
): Promise<string | null> => {
  const left = new Set(wanted)
  try {
    for await (const name of blobNames(store, folder)) left.delete(name)
  } catch (error) {
    return `It could not be looked at${whyOf(error)}.`
  }
  return left.size === 0 ? null : `${left.size} of ${wanted.size} objects are not there.`
}
