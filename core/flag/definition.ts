import type { Json, JsonObject } from "../json.ts"

/** One of a flag's values, by its name. */
export type Variants = Readonly<Record<string, Json>>

/** A flag is on only for those who get one of these variants of another flag of the same view. */
export interface Prerequisite {
  flag: string
  variants: readonly string[]
}

/**
 * A flag, as flagd publishes the format (https://flagd.dev/reference/flag-definitions): the value of a config whose
 * type is a flag. `prerequisites` is ours.
 */
export interface FlagDefinition {
  state: "ENABLED" | "DISABLED"
  variants: Variants
  /** Without it the caller's own default stands. */
  defaultVariant?: string | null
  /** JSON Logic with `fractional`, `sem_ver`, `starts_with` and `ends_with`; what comes out is the name of a variant. */
  targeting?: Json
  /** Rules that `targeting` names with `{"$ref": name}`; they name none themselves. */
  $evaluators?: Readonly<Record<string, Json>>
  metadata?: JsonObject
  prerequisites?: readonly Prerequisite[]
}

/** The short form of a boolean flag: on for all, or for this share of entities in percent, to two decimals. */
export interface SimpleFlag {
  enabled: boolean
  percentage?: number
  prerequisites?: readonly Prerequisite[]
  metadata?: JsonObject
}

/** Why a flag has its value: OpenFeature's standard reasons, and our own for a prerequisite that is not met. */
export type Reason =
  | "STATIC"
  | "DEFAULT"
  | "TARGETING_MATCH"
  | "SPLIT"
  | "DISABLED"
  | "PREREQUISITE_FAILED"
  | "ERROR"

/** OpenFeature's codes. */
export type FlagErrorCode =
  | "FLAG_NOT_FOUND"
  | "PARSE_ERROR"
  | "GENERAL"
  | "TYPE_MISMATCH"
  | "TARGETING_KEY_MISSING"
  | "INVALID_CONTEXT"

/** What a flag comes to. Without `value` the caller's own default stands. Shared and frozen: nobody alters it. */
export interface Evaluation {
  readonly reason: Reason
  readonly value?: Json
  readonly variant?: string
  readonly errorCode?: FlagErrorCode
  readonly errorMessage?: string
  readonly metadata: JsonObject
}

/** Who and what a flag is evaluated for. `targetingKey` is the entity. */
export type Context = JsonObject
