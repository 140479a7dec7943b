import type { ArchivePart } from "../../../core/backup/manifest.ts"
import { ARCHIVE_LIMITS } from "../../../core/backup/manifest-format.ts"
import { Refusal } from "../../../core/errors.ts"
import type { ScopeId } from "../../../core/ids.ts"
import { NotOpened, open, seal } from "../keys/sealing.ts"
import { pack, unpack } from "./packing.ts"
import { release } from "./release.ts"
import { hashOf, partIdOf, partPlace, type SubKeys } from "./sub-keys.ts"

/** A part as it is stored. */
export const sealPart = async (
  keys: SubKeys,
  source: ScopeId,
  partId: string,
  plain: Uint8Array,
): Promise<Uint8Array> => {
  const packed = await pack(plain)
  const sealed = seal(keys.parts, packed, partPlace(source, partId))
  release(packed)
  return sealed
}

/**
 * Its plain bytes, held to all that the manifest says of them. How many bytes it was packed in when the manifest was written is not: one
 * that was damaged and written anew, by another version of zstd, is the same part. Throws Refusal ARCHIVE_DAMAGED, which begins with `where`.
 */
export const openPart = async (
  keys: SubKeys,
  source: ScopeId,
  part: ArchivePart,
  sealed: Uint8Array,
  where: string,
  unseal: (sealed: Uint8Array) => Uint8Array | null = (bytes) => unsealPart(keys, source, part.id, bytes),
): Promise<Uint8Array> => {
  const damaged = (what: string, cause?: unknown): Refusal =>
    new Refusal("ARCHIVE_DAMAGED", `${where} ${what}.`, { cause })
  const { partBytes, sealBytes, ratio } = ARCHIVE_LIMITS
  if (sealed.length > partBytes + sealBytes || part.plainBytes > sealed.length * ratio)
    throw damaged(`has ${sealed.length} bytes, as no part of ${part.plainBytes} plain ones has`)
  const packed = unseal(sealed)
  if (packed === null)
    throw damaged("does not open: it was altered, or sealed for another archive, tenant or name")
  const plain = await unpack(packed, part.plainBytes).catch((error: unknown) => {
    throw damaged(`does not unpack to the ${part.plainBytes} bytes that the manifest says`, error)
  })
  if (plain.buffer !== packed.buffer) release(packed)
  if (plain.length !== part.plainBytes)
    throw damaged(`unpacks to ${plain.length} bytes where the manifest says ${part.plainBytes}`)
  if (hashOf(plain) !== part.sha256) throw damaged("holds other bytes than the manifest's SHA-256 is of")
  if (partIdOf(keys, plain) !== part.id) throw damaged("holds other bytes than those it is named after")
  return plain
}

/** What is packed in it. `null`: it is not the part of that name, or was altered. */
export const unsealPart = (
  keys: SubKeys,
  source: ScopeId,
  partId: string,
  sealed: Uint8Array,
): Uint8Array | null => {
  try {
    return open(keys.parts, sealed, partPlace(source, partId))
  } catch (error) {
    if (error instanceof NotOpened) return null
    throw error
  }
}
