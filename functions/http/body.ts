import { BODY_BYTES_MAX } from "../../core/config/limits.ts"
import { Refusal } from "../../core/errors.ts"
import { type Json, parseJson } from "../../core/json.ts"
import { mustBePlain, strictReader } from "../../core/strict-text.ts"
import type { FunctionUrlEvent } from "./events.ts"

const tooLarge = (): Refusal =>
  new Refusal("BODY_TOO_LARGE", `The body is longer than ${BODY_BYTES_MAX} bytes.`)

/** The body's text. Throws ENCODING_UNSUPPORTED, BODY_TOO_LARGE, BODY_NOT_JSON. */
export const readText = async (request: Request): Promise<string> => {
  if (request.body === null) return ""
  mustBePlain(request.headers.get("content-encoding"))
  const read = strictReader(BODY_BYTES_MAX, tooLarge)
  const pieces: string[] = []
  for await (const piece of request.body) pieces.push(read(piece))
  pieces.push(read())
  return pieces.join("")
}

/** The same for a function that takes its event as it comes. */
export const textOfEvent = ({ body = "", isBase64Encoded, headers }: FunctionUrlEvent): string => {
  mustBePlain(headers["content-encoding"])
  const read = strictReader(BODY_BYTES_MAX, tooLarge)
  return read(Buffer.from(body, isBase64Encoded ? "base64" : "utf8")) + read()
}

const BYTE_ORDER_MARK = "\ufeff"

/** The body's text as strict JSON, whatever its content type says. Nothing at all reads as `{}`. */
export const parseBody = (text: string): Json => {
  // RFC 8259 has none; some editors write one, and trim() would take it for a blank.
  if (text.startsWith(BYTE_ORDER_MARK))
    throw new Refusal("BODY_NOT_JSON", "The body begins with a byte order mark; send it without.")
  return text.trim() === "" ? {} : parseJson(text)
}
