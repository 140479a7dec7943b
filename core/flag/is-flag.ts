import type { Json, JsonObject } from "../json.ts"
import type { Definition } from "./flags.ts"

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const STATES: readonly unknown[] = ["ENABLED", "DISABLED"]

/**
 * Is this config a flag? A flag is a config whose value has a `state` and `variants`, as every definition in flagd's format
 * has; the short form is stored with both. Whether it would evaluate is `parseFlag`'s to say, when it is written.
 */
export const isFlag = (value: Json | undefined): value is Definition & Json =>
  isObject(value) && STATES.includes(value.state) && isObject(value.variants)
