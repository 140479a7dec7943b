import { Refusal } from "./errors.ts"

/**
 * Decodes UTF-8 strictly and piece by piece, ended by a call without one; throws BODY_NOT_JSON for anything else. Bytes are
 * counted as they come, as what `Content-Length` claims proves nothing: beyond `bytesMax` what `tooLarge` gives is thrown.
 */
export const strictReader = (bytesMax: number, tooLarge: () => Refusal): ((piece?: Uint8Array) => string) => {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
  let bytes = 0
  return (piece) => {
    bytes += piece?.byteLength ?? 0
    if (bytes > bytesMax) throw tooLarge()
    try {
      return decoder.decode(piece, { stream: piece !== undefined })
    } catch (error) {
      throw new Refusal("BODY_NOT_JSON", "The body is not UTF-8.", { cause: error })
    }
  }
}

/** What is packed may be a thousand times as long: it is refused unread. Throws ENCODING_UNSUPPORTED. */
export const mustBePlain = (coding: string | null | undefined): void => {
  if (coding != null && coding.trim().toLowerCase() !== "identity")
    throw new Refusal("ENCODING_UNSUPPORTED", "The body has a Content-Encoding.")
}
