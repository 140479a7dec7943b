import type { Json } from "../json.ts"

/** What an object of one member says: an operator and its operands, one of which may stand alone. */
export interface Operation {
  operator: string
  operands: readonly Json[]
  isList: boolean
}

/** `null`: it is a value. */
export const operationOf = (rule: Json): Operation | null => {
  if (typeof rule !== "object" || rule === null || Array.isArray(rule)) return null
  const [operator, ...others] = Object.keys(rule)
  if (operator === undefined || others.length > 0) return null
  const operand = rule[operator]!
  return { operator, operands: Array.isArray(operand) ? operand : [operand], isList: Array.isArray(operand) }
}

/** A name as a part of a JSON pointer, so long at most. */
export const pointer = (name: string): string =>
  name.slice(0, 100).replaceAll("~", "~0").replaceAll("/", "~1")
