import type { ArchivePart } from "../../../core/backup/manifest.ts"
import { Refusal } from "../../../core/errors.ts"
import type { ScopeId } from "../../../core/ids.ts"
import { LocationsFailed } from "../blob-locations.ts"
import type { BlobStore } from "../blob-store.ts"
import { partName } from "./names.ts"
import { openPart, sealPart, unsealPart } from "./part.ts"
import { hashOf, type SubKeys } from "./sub-keys.ts"

/** Where an archive's parts go, and under whose keys. */
export interface PartKeeper {
  blobs: BlobStore
  root: string
  source: ScopeId
  keys: SubKeys
}

/**
 * The part of these bytes, in the store when it returns. One that is there already, from an earlier archive or from an
 * attempt that was killed, is read: one that does not open is put in order instead of being relied on.
 */
export const keepPart = async (
  keeper: PartKeeper,
  id: string,
  plain: Uint8Array,
): Promise<{ part: ArchivePart; isNew: boolean }> => {
  const { blobs, root, source, keys } = keeper
  const name = partName(root, source, id)
  const sealed = await sealPart(keys, source, id, plain)
  const part = { id, sha256: hashOf(plain), plainBytes: plain.length, packedBytes: sealed.length }
  const put = await putSomewhere(blobs, name, sealed)
  if (put === "written") return { part, isNew: true }
  const stored = await blobs.get(name, (bytes) => unsealPart(keys, source, id, bytes) !== null)
  if (stored !== null) {
    const found = { ...part, packedBytes: stored.length }
    if (await isWhole(keeper, found, stored)) return { part: found, isNew: put === "unclear" }
    if ((await blobs.remove(name)) === "kept") throw locked(id)
  }
  if ((await putSomewhere(blobs, name, sealed)) === "written") return { part, isNew: true }
  throw new Error(`the part ${id} of ${source} was written by somebody else at this moment`)
}

/**
 * Kept at one location at least: one of several that is down must not keep everybody without a backup. `"unclear"`: not all of
 * them told, so what is there has to be looked at.
 */
const putSomewhere = async (
  blobs: BlobStore,
  name: string,
  bytes: Uint8Array,
): Promise<"written" | "there" | "unclear"> => {
  try {
    return await blobs.putOnce(name, bytes)
  } catch (error) {
    if (error instanceof LocationsFailed && error.done.length > 0) return "unclear"
    throw error
  }
}

/** The commit mark. `false`: another one is there under this name, and stays. */
export const putManifest = async (blobs: BlobStore, name: string, bytes: Uint8Array): Promise<boolean> => {
  if ((await putSomewhere(blobs, name, bytes)) === "written") return true
  const isOurs = (copy: Uint8Array) => hashOf(copy) === hashOf(bytes)
  const there = await blobs.get(name, isOurs)
  return there !== null && isOurs(there)
}

const isWhole = async ({ keys, source }: PartKeeper, part: ArchivePart, stored: Uint8Array) => {
  try {
    await openPart(keys, source, part, stored, `The part ${part.id}`)
    return true
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
}

const locked = (id: string): Refusal =>
  new Refusal(
    "ARCHIVE_DAMAGED",
    `The part ${id} in the store does not open, and is locked, so that it cannot be put in order.`,
  )
