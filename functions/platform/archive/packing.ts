import { promisify } from "node:util"
import {
  constants,
  type ZstdOptions,
  zstdCompress,
  zstdCompressSync,
  zstdDecompress,
  zstdDecompressSync,
} from "node:zlib"
import { ARCHIVE_LIMITS } from "../../../core/backup/manifest-format.ts"
import { release } from "./release.ts"

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

const STORED = 0
const ZSTD = 1

const WINDOW_LOG = 21
const CHUNK_BYTES_MIN = 1_024
const CHUNK_BYTES_MAX = ARCHIVE_LIMITS.partBytes
/** More than a manifest unpacks to, by experience. */
const USUAL_RATIO = 8
/** Up to so many packed or plain bytes it takes longer to hand them to another thread than to do it. */
const SMALL_BYTES = { packed: 16_384, plain: 65_536 }
/** The window that unpacking may ask for, as a power of two: what a frame declares is memory that it takes. */
const WINDOW_LOG_MAX = 24

/** The bytes behind one that says how: zstd, or as they are, where that is smaller or would be refused for its ratio. */
export const pack = async (plain: Uint8Array): Promise<Uint8Array> => {
  const options = {
    // In one go: what goes by small pieces is copied together once more, and waits its turn each time.
    chunkSize: plain.length + CHUNK_BYTES_MIN,
    params: { [constants.ZSTD_c_windowLog]: WINDOW_LOG },
  }
  const isSmall = plain.length <= SMALL_BYTES.plain
  const packed = isSmall ? zstdCompressSync(plain, options) : await compress(plain, options)
  const isWorth = packed.length < plain.length && plain.length <= packed.length * ARCHIVE_LIMITS.ratio
  const told = isWorth
    ? Buffer.concat([Uint8Array.of(ZSTD), packed])
    : Buffer.concat([Uint8Array.of(STORED), plain])
  release(packed)
  return told
}

/** Where the size is known, in one go; else by pieces of what is usual, as taking the most each time keeps the collector at work. */
const chunkBytes = (packedBytes: number, bytesMax: number): number =>
  bytesMax <= CHUNK_BYTES_MAX ? bytesMax : Math.min(packedBytes * USUAL_RATIO, CHUNK_BYTES_MAX)

/** It is not packed as {@link pack} does, or unpacks to more than it may. */
class NotUnpacked extends Error {
  constructor() {
    super("it does not unpack")
    this.name = "NotUnpacked"
  }
}

/** At most so many bytes; no more are made on the way. Throws {@link NotUnpacked}. */
export const unpack = async (packed: Uint8Array, bytesMax: number): Promise<Uint8Array> => {
  const body = packed.subarray(1)
  if (packed[0] === STORED && body.length <= bytesMax) return body
  if (packed[0] !== ZSTD) throw new NotUnpacked()
  const options = {
    chunkSize: Math.max(chunkBytes(body.length, bytesMax), CHUNK_BYTES_MIN),
    maxOutputLength: bytesMax,
    params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX },
  }
  try {
    return unpackedAtOnce(body, options) ?? (await decompress(body, options))
  } catch {
    throw new NotUnpacked()
  }
}

/** `null`: it is not small, packed or plain. */
const unpackedAtOnce = (
  body: Uint8Array,
  { chunkSize, maxOutputLength, params }: ZstdOptions & { chunkSize: number; maxOutputLength: number },
): Uint8Array | null => {
  if (body.length > SMALL_BYTES.packed) return null
  const most = Math.min(maxOutputLength, SMALL_BYTES.plain)
  try {
    const chunk = Math.max(Math.min(chunkSize, most), CHUNK_BYTES_MIN)
    return zstdDecompressSync(body, { chunkSize: chunk, maxOutputLength: most, params })
  } catch (error) {
    if (most === maxOutputLength) throw error
    return null
  }
}
