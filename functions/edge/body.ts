import type { Refusal } from "../../core/errors.ts"
import { mustBePlain, strictReader } from "../../core/strict-text.ts"

/** Of what nobody wants, so much is taken in all the same: a client that is cut off while it sends never hears why. */
const UNWANTED_BYTES_MAX = 6 * 1_048_576

/** The body's text, and not a byte more than that in memory. Throws ENCODING_UNSUPPORTED, BODY_NOT_JSON, and `tooLarge`. */
export const readBody = async (
  request: Request,
  bytesMax: number,
  tooLarge: () => Refusal,
): Promise<string> => {
  mustBePlain(request.headers.get("content-encoding"))
  const read = strictReader(bytesMax, tooLarge)
  const reader = request.body?.getReader()
  let text = ""
  try {
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true }
      if (done) return text + read()
      text += read(value)
    }
  } finally {
    // What is left can then be thrown away.
    reader?.releaseLock()
  }
}

/** Lets a client finish that is refused before it was heard. */
export const dropBody = async (request: Request): Promise<void> => {
  if (request.body === null || request.body.locked) return
  let bytes = 0
  try {
    for await (const piece of request.body) {
      bytes += piece.byteLength
      if (bytes > UNWANTED_BYTES_MAX) return
    }
  } catch {
    // It has left by itself.
  }
}
