import { LocationsFailed } from "./blob-locations.ts"
import type { BlobStore } from "./blob-store.ts"

/** Writes it once; a location that is down does not keep it from the others. Throws where none has it. */
export const putSomewhere = async (
  blobs: Pick<BlobStore, "putOnce">,
  name: string,
  bytes: Uint8Array,
): Promise<"written" | "there"> => {
  try {
    return await blobs.putOnce(name, bytes)
  } catch (error) {
    if (error instanceof LocationsFailed && error.done.length > 0) return "there"
    throw error
  }
}
