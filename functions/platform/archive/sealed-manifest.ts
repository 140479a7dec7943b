import { ARCHIVE_FORMAT, type ArchiveHeader, type Manifest } from "../../../core/backup/manifest.ts"
import { ARCHIVE_LIMITS, parseArchiveHeader, parseManifest } from "../../../core/backup/manifest-format.ts"
import { Refusal } from "../../../core/errors.ts"
import { framed } from "../../../core/secret/place.ts"
import { open, seal } from "../keys/sealing.ts"
import type { OpenManifest } from "./archives.ts"
import type { ArchiveKeys } from "./key-opening.ts"
import { pack, unpack } from "./packing.ts"
import { hashOf, type SubKeys, subKeys } from "./sub-keys.ts"

const LINE_END = 0x0a

const damaged = (detail: string, cause?: unknown): Refusal =>
  new Refusal("ARCHIVE_DAMAGED", detail, { cause })

/** What the seal is bound to: the line in clear, byte by byte. */
const manifestPlace = (line: Uint8Array): Uint8Array =>
  Buffer.concat([framed("hotswap archive manifest 1"), line])

/** A line in clear, which says how to open the rest, and the rest. Throws Refusal ARCHIVE_TOO_LARGE. */
export const sealManifest = async (
  manifest: Manifest,
  key: ArchiveHeader["key"],
  { manifests }: SubKeys,
): Promise<Uint8Array> => {
  const header: ArchiveHeader = {
    format: ARCHIVE_FORMAT,
    source: manifest.source,
    backupId: manifest.backupId,
    key,
  }
  const line = Buffer.from(`${JSON.stringify(header)}\n`)
  const text = JSON.stringify(manifest)
  // What cannot be read must not be written.
  parseManifest(text, header)
  const plain = Buffer.from(text)
  const sealed = seal(manifests, await pack(plain), manifestPlace(line))
  const bytes = Buffer.concat([line, sealed])
  const { manifestBytes, manifestPlainBytes, headerBytes } = ARCHIVE_LIMITS
  if (bytes.length > manifestBytes || plain.length > manifestPlainBytes || line.length > headerBytes)
    throw new Refusal(
      "ARCHIVE_TOO_LARGE",
      `The manifest has ${bytes.length} bytes, of which ${manifestBytes} are read.`,
    )
  return bytes
}

/** A manifest, and the keys of what it names. */
export interface OpenedManifest extends Omit<OpenManifest, "openPart"> {
  keys: SubKeys
}

/** Throws Refusal ARCHIVE_DAMAGED, _NEWER, _TOO_LARGE, _KEY_UNKNOWN. */
export const openSealedManifest = async (keys: ArchiveKeys, bytes: Uint8Array): Promise<OpenedManifest> => {
  const { headerBytes, manifestBytes, manifestPlainBytes } = ARCHIVE_LIMITS
  if (bytes.length > manifestBytes)
    throw new Refusal(
      "ARCHIVE_TOO_LARGE",
      `The manifest has ${bytes.length} bytes, of which ${manifestBytes} are read.`,
    )
  const end = bytes.subarray(0, headerBytes).indexOf(LINE_END)
  if (end === -1) throw damaged(`The manifest has no end of its first line within ${headerBytes} bytes.`)
  const header = parseArchiveHeader(Buffer.from(bytes.subarray(0, end)).toString("utf8"))
  const { key, unwrap } = await keys.opened(header.source, header.key)
  const sub = subKeys(key, header.source)
  const plain = await opened(sub, bytes, end + 1, manifestPlainBytes)
  const manifest = parseManifest(Buffer.from(plain).toString("utf8"), header)
  return {
    header,
    manifest,
    hash: hashOf(bytes),
    bytes,
    keys: sub,
    ...(unwrap && { unwrap }),
  }
}

const opened = async (
  { manifests }: SubKeys,
  bytes: Uint8Array,
  sealedAt: number,
  bytesMax: number,
): Promise<Uint8Array> => {
  try {
    const packed = open(manifests, bytes.subarray(sealedAt), manifestPlace(bytes.subarray(0, sealedAt)))
    return await unpack(packed, bytesMax)
  } catch (error) {
    throw damaged(
      `The manifest does not open: it was cut off or altered after it was sealed, in its first line or in the ${bytes.length - sealedAt} bytes behind it.`,
      error,
    )
  }
}
