import { BODY_BYTES_MAX } from "../../core/config/limits.ts"
import { Refusal } from "../../core/errors.ts"
import { type Json, parseJson } from "../../core/json.ts"

const tooLarge = (): Refusal =>
  new Refusal("BODY_TOO_LARGE", `The body is longer than ${BODY_BYTES_MAX} bytes.`)

/** The body's text. Its bytes are counted as they come: what `Content-Length` claims proves nothing. */
export const readText = async (request: Request): Promise<string> => {
  if (request.body === null) return ""
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
  const pieces: string[] = []
  let bytes = 0
  try {
    for await (const piece of request.body) {
      bytes += piece.byteLength
      if (bytes > BODY_BYTES_MAX) throw tooLarge()
      pieces.push(decoder.decode(piece, { stream: true }))
    }
    pieces.push(decoder.decode())
  } catch (error) {
    if (error instanceof TypeError) throw new Refusal("BODY_NOT_JSON", "The body is not UTF-8.")
    throw error
  }
  return pieces.join("")
}

const BYTE_ORDER_MARK = "\ufeff"

/** The body's text as strict JSON, whatever its content type says. Nothing at all reads as `{}`. */
export const parseBody = (text: string): Json => {
  // RFC 8259 has none; some editors write one, and trim() would take it for a blank.
  if (text.startsWith(BYTE_ORDER_MARK))
    throw new Refusal("BODY_NOT_JSON", "The body begins with a byte order mark; send it without.")
  return text.trim() === "" ? {} : parseJson(text)
}
