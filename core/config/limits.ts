import { Refusal } from "../errors.ts"
import { byteLength, canonical, type Json } from "../json.ts"

const KIB = 1_024

/** One value's canonical JSON. */
export const VALUE_BYTES_MAX = 256 * KIB
/** One scope × environment: keys, and its release's canonical JSON in one piece. */
const RELEASE_KEYS_MAX = 10_000
const RELEASE_BYTES_MAX = 4 * KIB * KIB
/** A JSON Schema's canonical JSON, and how deeply it nests. */
export const SCHEMA_BYTES_MAX = 64 * KIB
export const SCHEMA_DEPTH_MAX = 32
/** Values of any kind in a schema: compiling takes time by the piece, not by the byte. */
export const SCHEMA_NODES_MAX = 5_000
/** A request's body, counted as it comes in. */
export const BODY_BYTES_MAX = 6 * KIB * KIB

/** Throws Refusal `VALUE_TOO_LARGE`. Depth and numbers were judged when the value was parsed. */
export const checkValue = (value: Json): void => {
  const bytes = byteLength(canonical(value))
  if (bytes > VALUE_BYTES_MAX)
    throw new Refusal(
      "VALUE_TOO_LARGE",
      `The value is ${bytes} bytes long; at most ${VALUE_BYTES_MAX} are kept.`,
    )
}

/** Throws Refusal `RELEASE_TOO_LARGE`. */
export const checkReleaseSize = (keys: number, bytes: number): void => {
  if (keys > RELEASE_KEYS_MAX)
    throw new Refusal(
      "RELEASE_TOO_LARGE",
      `It would hold ${keys} keys; at most ${RELEASE_KEYS_MAX} are kept.`,
    )
  if (bytes > RELEASE_BYTES_MAX)
    throw new Refusal(
      "RELEASE_TOO_LARGE",
      `It would be ${bytes} bytes long; at most ${RELEASE_BYTES_MAX} are kept.`,
    )
}
