/**
 * Gives the memory of large bytes back at once: left to the collector, what a stream of parts goes through adds up to tens of
 * megabytes first. For whoever made them and is done with them; they are empty from then on.
 */
export const release = (bytes: Uint8Array): void => {
  const { buffer } = bytes
  // What is small may be a piece of what others share.
  if (buffer instanceof ArrayBuffer && buffer.byteLength > SHARED_BYTES_MAX) buffer.transfer(0)
}

const SHARED_BYTES_MAX = 128 * 1024
