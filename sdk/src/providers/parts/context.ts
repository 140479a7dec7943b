import { type EvaluationContext, InvalidContextError } from "@openfeature/core"
import type { Json, JsonObject } from "../../../../core/json.ts"
import type { Context } from "../../types.ts"

/** As the service has it where it evaluates: how deep a context may be nested, and, roughly, how long it may be as text. */
const DEPTH_MAX = 62
const CHARACTERS_MAX = 262_144

/**
 * An evaluation context as JSON, as it would be after a journey over OFREP: dates are ISO text, what is undefined is not
 * there. Throws InvalidContextError if it is too deep or too large, or holds what JSON does not know.
 */
export const toContext = (context: EvaluationContext): Context => {
  const left = { characters: CHARACTERS_MAX }
  return isPlain(context, left) ? (context as Context) : converted(context, 0, left)
}

/** Most contexts are a few texts and numbers, and need not be copied. */
const isPlain = (context: EvaluationContext, left: { characters: number }): boolean => {
  let characters = 0
  for (const name in context) {
    const value = context[name]
    if (typeof value === "string") characters += value.length
    else if (typeof value !== "boolean" && !(typeof value === "number" && Number.isFinite(value)))
      return false
    characters += name.length
  }
  return characters <= left.characters
}

const converted = (
  members: Readonly<Record<string, unknown>>,
  depth: number,
  left: { characters: number },
): JsonObject => {
  if (depth > DEPTH_MAX) throw new InvalidContextError(`The context is nested more than ${DEPTH_MAX} deep.`)
  const made: Record<string, Json> = {}
  for (const [name, value] of Object.entries(members)) {
    const json = convertedValue(value, depth, left)
    spend(left, name.length + 1)
    // A plain assignment to this one name would set the prototype.
    if (json !== undefined && name !== "__proto__") made[name] = json
  }
  return made
}

const convertedValue = (value: unknown, depth: number, left: { characters: number }): Json | undefined => {
  spend(left, typeof value === "string" ? value.length : 1)
  switch (typeof value) {
    case "string":
    case "boolean":
      return value
    case "number":
      return Number.isFinite(value) ? value : null
    case "bigint":
      throw new InvalidContextError("The context has a bigint, which JSON does not know.")
    case "object":
      return value === null ? null : convertedObject(value, depth, left)
    default:
      return undefined
  }
}

const convertedObject = (value: object, depth: number, left: { characters: number }): Json => {
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new InvalidContextError("The context has a date that is none.")
    return value.toISOString()
  }
  if (!Array.isArray(value)) return converted(value as Record<string, unknown>, depth + 1, left)
  if (depth >= DEPTH_MAX) throw new InvalidContextError(`The context is nested more than ${DEPTH_MAX} deep.`)
  return value.map((item) => convertedValue(item, depth + 1, left) ?? null)
}

const spend = (left: { characters: number }, characters: number): void => {
  left.characters -= characters
  if (left.characters < 0)
    throw new InvalidContextError(`The context has more than ${CHARACTERS_MAX} characters.`)
}
