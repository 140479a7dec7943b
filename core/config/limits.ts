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

/**
 * All values and schemas of one change, as PostgreSQL writes them: it spells numbers out, `1e308` as 309 digits. Of what is sent
 * otherwise nothing comes near it; a row beyond would be too long for an archive.
 */
const STORED_BYTES_MAX = 16 * KIB * KIB
const EXPONENT = /[0-9]e[+-][0-9]/

/** By how much PostgreSQL writes it longer. */
const spelledOut = (value: Json): number => {
  if (typeof value === "number") {
    const exponent = Number(String(value).split("e")[1] ?? 0)
    return Math.abs(exponent)
  }
  if (typeof value !== "object" || value === null) return 0
  return Object.values(value).reduce<number>((sum, member) => sum + spelledOut(member ?? null), 0)
}

/** Throws Refusal `VALUE_TOO_LARGE`. */
export const checkStored = (values: readonly Json[]): void => {
  let bytes = 0
  for (const value of values) {
    const text = canonical(value)
    bytes += byteLength(text) + (EXPONENT.test(text) ? spelledOut(value) : 0)
  }
  if (bytes > STORED_BYTES_MAX)
    throw new Refusal(
      "VALUE_TOO_LARGE",
      `Numbers spelled out, the change is ${bytes} bytes long; at most ${STORED_BYTES_MAX} are kept. Send fewer numbers with large exponents.`,
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
