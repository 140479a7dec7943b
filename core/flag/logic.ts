import type { Json } from "../json.ts"
import { fractional } from "./fractional.ts"
import { merged, operators, textOf, truthy } from "./operators.ts"
import { attribute, constant, isAttribute, isConstant, type Run, spend } from "./run.ts"

/** What a rule is compiled for. */
export interface Scope {
  flagKey: string
  evaluators: Readonly<Record<string, Json>>
  /** The context itself and not an item of a list: `$flagd` is here only. */
  isRoot: boolean
}

/** What is made of a value where the rule ends with it. */
type Ending = (value: unknown) => unknown
type Apply = (typeof operators)[string]

const asIs: Ending = (value) => value

/** Makes closures of a JSON Logic rule (https://jsonlogic.com/operations.html), once; throws where it cannot. */
export const compileRule = (rule: Json, scope: Scope, ending = asIs): Run => {
  spend(1)
  const compile = (each: Json): Run => compileRule(each, scope)
  if (Array.isArray(rule)) return ended(list(rule.map(compile)), ending)
  // Anything but one member is no operation but a value.
  const [operator, ...others] = typeof rule === "object" && rule ? Object.keys(rule) : []
  if (operator === undefined || others.length > 0) return constant(ending(rule))
  const operands = [(rule as Record<string, Json>)[operator]!].flat()
  if (operator === "if" || operator === "?:") return branches(operands, scope, ending)
  if (operator === "fractional")
    return fractional(operands.map(compile), Array.isArray(operands[0]), scope.flagKey, ending)
  if (operator === "$ref") return reference(operands[0], scope, ending)
  if (operator === "var") return ended(variable(operands, scope), ending)
  if (ITERATING.includes(operator)) return ended(iterating(operator, operands, scope), ending)
  return ended(applied(operator, operands.map(compile)), ending)
}

const ended = (run: Run, ending: Ending): Run =>
  ending === asIs
    ? run
    : isConstant(run)
      ? constant(ending(run.value))
      : (data, now) => ending(run(data, now))

const list = (items: readonly Run[]): Run =>
  items.every(isConstant)
    ? constant(items.map((item) => item.value))
    : (data, now) => items.map((item) => item(data, now))

/** `[condition, then, condition, then, …, otherwise]` */
const branches = (operands: readonly Json[], scope: Scope, ending: Ending): Run => {
  const last = operands.length - 1
  const runs = operands.map((operand, index) =>
    compileRule(operand, scope, index % 2 === 0 && index < last ? asIs : ending),
  )
  if (last % 2) runs.push(constant(ending(null)))
  return (data, now) => {
    let index = 0
    while (index < runs.length - 1) {
      if (truthy(runs[index]!(data, now))) return runs[index + 1]!(data, now)
      index += 2
    }
    return runs[index]!(data, now)
  }
}

const reference = (name: Json | undefined, scope: Scope, ending: Ending): Run => {
  const { evaluators } = scope
  if (typeof name !== "string" || !Object.hasOwn(evaluators, name))
    throw new Error(`there is no shared evaluator ${name}`)
  // One shared rule cannot name another, so nothing can go round in circles.
  return compileRule(evaluators[name]!, { ...scope, evaluators: {} }, ending)
}

const firstWhere =
  (args: readonly Run[], wanted: boolean): Run =>
  (data, now) => {
    let value: unknown = null
    for (let index = 0; index < args.length; index++) {
      value = args[index]!(data, now)
      if (truthy(value) === wanted) break
    }
    return value
  }

const applied = (operator: string, args: readonly Run[]): Run => {
  if (operator === "and" || operator === "or") return firstWhere(args, operator === "or")
  if (operator === "missing" || operator === "missing_some") return missing(operator === "missing_some", args)
  const apply = Object.hasOwn(operators, operator) && operators[operator]
  if (!apply) throw new Error(`there is no operator ${operator}`)
  const [one, other] = args
  if (args.length === 1) return (data, now) => apply(one!(data, now))
  if (args.length !== 2) return (data, now) => apply(...args.map((arg) => arg(data, now)))
  if (isAttribute(one!) && isConstant(other!)) return ofAttribute(operator, one.attribute, other.value, apply)
  return (data, now) => apply(one!(data, now), other!(data, now))
}

/** Most conditions are of this kind: with nothing to call in between they take half the time. */
const ofAttribute = (operator: string, name: string, value: unknown, apply: Apply): Run => {
  if (operator === "in" && Array.isArray(value)) {
    const values = new Set(value)
    return (data) => values.has((data as Record<string, unknown>)[name] ?? null)
  }
  return (data) => apply((data as Record<string, unknown>)[name] ?? null, value)
}

const stepsOf = (path: unknown): readonly string[] => {
  const text = textOf(path)
  return text ? text.split(".") : []
}

const read = (data: unknown, steps: readonly string[]): unknown => {
  let value = data
  for (const step of steps) {
    if (value === null || value === undefined || !Object.hasOwn(value, step)) return null
    value = (value as Record<string, unknown>)[step]
  }
  return value ?? null
}

const variable = ([path = "", otherwise = null]: readonly Json[], scope: Scope): Run => {
  const fallback = compileRule(otherwise, scope)
  const from = compileRule(path, scope)
  if (scope.isRoot && typeof path === "string") {
    if (path === "$flagd.flagKey") return constant(scope.flagKey)
    if (path === "$flagd.timestamp") return (_, now) => now
    if (/^\$flagd(\.|$)/.test(path)) return fallback
    // What every object inherits is no attribute of it.
    if (otherwise === null && !/\.|^$/.test(path) && !(path in Object.prototype)) return attribute(path)
  }
  const steps = isConstant(from) && stepsOf(from.value)
  return (data, now) => read(data, steps || stepsOf(from(data, now))) ?? fallback(data, now)
}

const missing =
  (isSome: boolean, args: readonly Run[]): Run =>
  (data, now) => {
    const values = args.map((arg) => arg(data, now))
    const names = merged(isSome ? values.slice(1) : values)
    const absent = names.filter((name) => ["", null].includes(read(data, stepsOf(name)) as string))
    return isSome && names.length - absent.length >= Number(values[0]) ? [] : absent
  }

/** Operators whose rule sees the items of a list, one after the other, and not the context. */
export const ITERATING: readonly string[] = ["map", "filter", "all", "some", "none", "reduce"]

const iterating = (
  operator: string,
  [over = null, rule = null, start = null]: readonly Json[],
  scope: Scope,
): Run => {
  const [list, first] = [compileRule(over, scope), compileRule(start, scope)]
  const before = spend(0)
  const ofItem = compileRule(rule, { ...scope, isRoot: false })
  const work = before - spend(0)
  return (data, now) => {
    const value = list(data, now)
    const items: readonly unknown[] = Array.isArray(value) ? value : []
    const holds = (item: unknown): boolean => truthy(ofItem(item, now))
    spend(items.length * work)
    switch (operator) {
      case "map":
        return items.map((item) => ofItem(item, now))
      case "filter":
        return items.filter(holds)
      case "all":
        return items.length > 0 && items.every(holds)
      case "some":
        return items.some(holds)
      case "none":
        return !items.some(holds)
      default:
        return items.reduce<unknown>(
          (accumulator, current) => ofItem({ current, accumulator }, now),
          first(data, now),
        )
    }
  }
}
