import { ITERATING } from "../flag/logic.ts"
import { type Operation, operationOf, pointer } from "../flag/operation.ts"
import { type ConfigKey, parseConfigKey } from "../ids.ts"
import type { Json } from "../json.ts"

/** A config, or a part of its value: `pool`, `pool/limits/0`, as a JSON pointer behind the key. */
interface Reference {
  key: ConfigKey
  steps: readonly string[]
}

/** Called with what stands in the place of a reference; says the name of the variable that stands for it. */
type NameOf = (reference: Json, path: string) => string

const BAD_ESCAPE = /~(?![01])/

/** `null`: it names no config. */
export const parseReference = (text: Json): Reference | null => {
  if (typeof text !== "string" || BAD_ESCAPE.test(text)) return null
  const [name = "", ...steps] = text.split("/")
  const key = parseConfigKey(name)
  return key && { key, steps: steps.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~")) }
}

/** What the value has there; `null`: nothing. */
export const partOf = (value: Json | undefined, steps: readonly string[]): Json => {
  let part: Json | undefined = value
  for (const step of steps) {
    if (typeof part !== "object" || part === null || !Object.hasOwn(part, step)) return null
    part = (part as Record<string, Json>)[step]
  }
  return part ?? null
}

/**
 * The condition with a variable of its own in the place of everything it refers to: keys have dots in them, at which JSON
 * Logic would take a name apart.
 */
export const resolved = (condition: Json, nameOf: NameOf, path = ""): Json => {
  if (Array.isArray(condition))
    return condition.map((item, index) => resolved(item, nameOf, `${path}/${index}`))
  const operation = operationOf(condition)
  return operation === null ? condition : resolvedOperation(operation, nameOf, path)
}

const resolvedOperation = ({ operator, operands, isList }: Operation, nameOf: NameOf, path: string): Json => {
  const at = (index: number) => `${path}/${pointer(operator)}${isList ? `/${index}` : ""}`
  const inside = (operand: Json, index: number): Json => resolved(operand, nameOf, at(index))
  if (operator === "var") {
    const [reference = null, ...otherwise] = operands
    return {
      var: [nameOf(reference, at(0)), ...otherwise.map((operand, index) => inside(operand, index + 1))],
    }
  }
  if (operator === "missing") return absentOf(operands.map((one, index) => [one, nameOf(one, at(index))]))
  if (operator === "missing_some") {
    const [wanted = null, list = null] = operands
    const references = Array.isArray(list) ? list : [list]
    return fewerThan(
      inside(wanted, 0),
      references.map((one, index) => [one, nameOf(one, `${at(1)}/${index}`)]),
    )
  }
  if (!ITERATING.includes(operator)) return { [operator]: operands.map(inside) }
  return { [operator]: operands.map((operand, index) => (index === 1 ? operand : inside(operand, index))) }
}

/** A reference as it stands, and the variable that stands for it. */
type Named = readonly [reference: Json, name: string]

const isAbsent = ([, name]: Named): Json => ({ in: [{ var: [name] }, [null, ""]] })

/** What `missing` answers: those of the references for which there is nothing. */
const absentOf = (named: readonly Named[]): Json => ({
  merge: named.map((one): Json => ({ if: [isAbsent(one), [one[0]], []] })),
})

/** What `missing_some` answers: nothing where as many as are wanted are there. */
const fewerThan = (wanted: Json, named: readonly Named[]): Json => ({
  if: [
    { ">=": [{ "+": [0, ...named.map((one): Json => ({ if: [isAbsent(one), 0, 1] }))] }, wanted] },
    [],
    absentOf(named),
  ],
})
