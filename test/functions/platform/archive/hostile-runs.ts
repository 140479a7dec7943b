import { Refusal } from "../../../../core/errors.ts"
import type { ScopeId } from "../../../../core/ids.ts"
import { createArchives } from "../../../../functions/platform/archive/archives.ts"
import { type BlobStore, blobNames } from "../../../../functions/platform/blob-store.ts"
import { chanceOf } from "../../../fuzz/chance.ts"
import { ACME, type ArchiveWorld, someRows, writeArchive } from "./world.ts"

/** One file of an archive as it is stored. */
export interface StoredFile {
  name: string
  bytes: Uint8Array
}

export interface Victim {
  backupId: string
  manifest: StoredFile
  files: readonly StoredFile[]
}

/** An archive with a table of each size: none, one row, some parts. */
export const victim = async (
  world: ArchiveWorld,
  seed: number,
  rows: number,
  home = ACME,
): Promise<Victim> => {
  const tables = {
    tenants: someRows(seed, 1),
    heads: [],
    chunks: someRows(seed + 1, rows, 2_000),
    releases: someRows(seed + 2, rows >> 2, 4_000),
    audit_entries: someRows(seed + 3, rows, 700),
  }
  const { manifest } = await writeArchive(world.archives, tables, { source: home })
  const files: StoredFile[] = []
  for await (const name of blobNames(world.blobs, `backups/${home}`))
    files.push({ name, bytes: (await world.blobs.get(name))! })
  const isManifest = ({ name }: StoredFile) => name.endsWith(manifest.backupId)
  return { backupId: manifest.backupId, manifest: files.find(isManifest)!, files }
}

/** The store as it is, but for one name. `null`: that is not there. */
const altered = (blobs: BlobStore, name: string, bytes: Uint8Array | null): BlobStore => ({
  ...blobs,
  get: async (asked) => (asked === name ? bytes : await blobs.get(asked)),
})

/**
 * Why the archive is refused with that name altered. Throws where it is taken, where it fails in any other way than by a
 * Refusal, and where that is about anything but the archive.
 */
export const refusal = async (
  { blobs, keys }: Pick<ArchiveWorld, "blobs" | "keys">,
  backupId: string,
  name: string,
  bytes: Uint8Array | null,
  home: ScopeId = ACME,
): Promise<Refusal> => {
  const archives = createArchives({ blobs: altered(blobs, name, bytes), keys })
  try {
    const archive = await archives.open(home, backupId)
    await archive.check()
  } catch (error) {
    if (error instanceof Refusal && /^ARCHIVE_/.test(error.code)) return error
    throw error
  }
  throw new Error(`an archive was taken with ${name} altered`)
}

/** Cuts each file off at every so many bytes, and once before its last. How many were refused, by code. */
export const cutEverywhere = async (world: ArchiveWorld, victim: Victim, every: number) => {
  const refused: Record<string, number> = {}
  for (const { name, bytes } of victim.files)
    for (const end of endsOf(bytes.length, every)) {
      const { code } = await refusal(world, victim.backupId, name, bytes.subarray(0, end))
      refused[code] = (refused[code] ?? 0) + 1
    }
  return refused
}

function* endsOf(length: number, every: number): Generator<number> {
  for (let end = 0; end < length - 1; end += every) yield end
  yield length - 1
}

/** Turns single bits round, half of them in the manifest. How many were refused, by code. */
export const flipBits = async (world: ArchiveWorld, victim: Victim, seed: number, count: number) => {
  const refused: Record<string, number> = {}
  for (let nth = 0; nth < count; nth++) {
    const chance = chanceOf(seed, nth)
    const { name, bytes } = chance.of(0.5) ? victim.manifest : chance.one(victim.files)
    const at = chance.below(bytes.length)
    const flipped = Uint8Array.from(bytes)
    flipped[at] = flipped[at]! ^ (1 << chance.below(8))
    const { code } = await refusal(world, victim.backupId, name, flipped)
    refused[code] = (refused[code] ?? 0) + 1
  }
  return refused
}
