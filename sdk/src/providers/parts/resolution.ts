import { ErrorCode, type FlagMetadata, type JsonValue, type ResolutionDetails } from "@openfeature/core"
import type { JsonObject } from "../../../../core/json.ts"

/** What a flag comes to, of the evaluator or of an answer in OFREP. Without `value` the caller's own default stands. */
export interface Resolvable {
  readonly reason: string
  readonly value?: unknown
  readonly variant?: string
  readonly errorCode?: string
  readonly errorMessage?: string
  readonly metadata: JsonObject
}

export type FlagType = "boolean" | "string" | "number" | "object"

/** In OpenFeature's words, for a caller who expects this type. Never throws. */
export const resolutionOf = <Value extends JsonValue>(
  flagKey: string,
  flag: Resolvable,
  type: FlagType,
  defaultValue: Value,
): ResolutionDetails<Value> => {
  if (typeof defaultValue !== type)
    return mismatch(defaultValue, `The default given for ${flagKey} is not of the type ${type}.`)
  const { value, reason, variant, errorCode, errorMessage = "" } = flag
  const flagMetadata = flagMetadataOf(flag.metadata)
  if (errorCode !== undefined)
    return { ...failure(codeOf(errorCode), errorMessage, defaultValue), flagMetadata }
  if (value === undefined) return { value: defaultValue, reason, flagMetadata }
  if (typeof value !== type)
    return mismatch(defaultValue, `The flag ${flagKey} is of the type ${typeof value}, and not ${type}.`)
  return variant === undefined
    ? { value: value as Value, reason, flagMetadata }
    : { value: value as Value, variant, reason, flagMetadata }
}

/** The default, and why. */
export const failure = <Value>(
  errorCode: ErrorCode,
  errorMessage: string,
  defaultValue: Value,
): ResolutionDetails<Value> => ({ value: defaultValue, reason: "ERROR", errorCode, errorMessage })

const mismatch = <Value>(defaultValue: Value, message: string): ResolutionDetails<Value> =>
  failure(ErrorCode.TYPE_MISMATCH, message, defaultValue)

const codeOf = (code: string): ErrorCode =>
  Object.hasOwn(ErrorCode, code) ? (code as ErrorCode) : ErrorCode.GENERAL

const CONVERTED = new WeakMap<JsonObject, FlagMetadata>()

/** OpenFeature's metadata is flat: texts, numbers and truth values. Anything else of a definition's is left out. */
const flagMetadataOf = (metadata: JsonObject): FlagMetadata => {
  const known = CONVERTED.get(metadata)
  if (known) return known
  const flat = Object.entries(metadata).filter(([, value]) => value !== null && typeof value !== "object")
  const made = Object.freeze(Object.fromEntries(flat)) as FlagMetadata
  CONVERTED.set(metadata, made)
  return made
}
