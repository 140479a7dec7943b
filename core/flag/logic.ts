import type { Json } from "../json.ts"
import { fractional } from "./fractional.ts"
import { compareOperators, iterating, listOperators, truthy } from "./operators.ts"
import { constant, isConstant, type Run } from "./run.ts"
import { semVer } from "./sem-ver.ts"

/** A definition cannot be evaluated, and why. */
export class FlagParseError extends Error {}

/** What a rule is compiled for. */
export interface Scope {
  flagKey: string
  evaluators: Readonly<Record<string, Json>>
  /** The context itself and not an item of a list: `$flagd` is here only. */
  isRoot: boolean
  depth: number
}

const DEPTH_MAX = 64

/** Makes closures of a JSON Logic rule (https://jsonlogic.com/operations.html), once; throws FlagParseError. */
export const compileRule = (rule: Json, outer: Scope): Run => {
  const scope = deeper(outer)
  if (typeof rule !== "object" || rule === null) return constant(rule)
  if (Array.isArray(rule)) return list(rule.map((item) => compileRule(item, scope)))
  const [operator, ...others] = Object.keys(rule)
  // Anything but one member is no operation but a value.
  if (operator === undefined || others.length > 0) return constant(rule)
  const operand = rule[operator]!
  return compileOperation(operator, Array.isArray(operand) ? operand : [operand], scope)
}

const deeper = (scope: Scope): Scope => {
  if (scope.depth >= DEPTH_MAX) throw new FlagParseError(`rules are nested more than ${DEPTH_MAX} deep`)
  return { ...scope, depth: scope.depth + 1 }
}

const list = (items: readonly Run[]): Run => {
  if (items.every(isConstant)) return constant(items.map((item) => item.known.value))
  return (data, now) => items.map((item) => item(data, now))
}

const compileOperation = (operator: string, operands: readonly Json[], scope: Scope): Run => {
  if (operator === "$ref") return reference(operands, scope)
  if (operator === "var") return variable(operands, scope)
  const iterate = Object.hasOwn(iterating, operator) && iterating[operator]
  if (iterate) {
    const [over = null, rule = null, start = null] = operands
    const [ofItem, ofStart] = [compileRule(rule, { ...scope, isRoot: false }), compileRule(start, scope)]
    return iterate(compileRule(over, scope), ofItem, ofStart)
  }
  const args = operands.map((operand) => compileRule(operand, scope))
  if (operator === "fractional") return fractional(args, Array.isArray(operands[0]), scope.flagKey)
  const run = withArguments(operator, args)
  return args.every(isConstant) && !operator.startsWith("missing") ? folded(run) : run
}

const withArguments = (operator: string, args: readonly Run[]): Run => {
  switch (operator) {
    case "if":
    case "?:":
      return branches(args)
    case "and":
      return (data, now) => firstWhere(args, false, data, now)
    case "or":
      return (data, now) => firstWhere(args, true, data, now)
    case "missing":
    case "missing_some":
      return missing(operator, args)
  }
  const compare = Object.hasOwn(compareOperators, operator) && compareOperators[operator]
  if (compare && args.length <= 2) {
    const [left = NULL, right = NULL] = args
    return (data, now) => compare(left(data, now), right(data, now))
  }
  const apply = Object.hasOwn(listOperators, operator) ? listOperators[operator] : undefined
  if (operator === "sem_ver") return (data, now) => semVer(args.map((arg) => arg(data, now)))
  if (!apply) throw new FlagParseError(`there is no operator ${JSON.stringify(operator)}`)
  return (data, now) => apply(args.map((arg) => arg(data, now)))
}

const NULL = constant(null)

const folded = (run: Run): Run => {
  try {
    return constant(run(null, 0))
  } catch {
    return run
  }
}

/** `[condition, then, condition, then, …, otherwise]` */
const branches = (args: readonly Run[]): Run => {
  const [condition = NULL, then, ...rest] = args
  if (then === undefined) return condition
  const otherwise = rest.length === 0 ? NULL : branches(rest)
  return (data, now) => (truthy(condition(data, now)) ? then(data, now) : otherwise(data, now))
}

const firstWhere = (args: readonly Run[], wanted: boolean, data: unknown, now: number): unknown => {
  let value: unknown = null
  for (let index = 0; index < args.length; index++) {
    value = args[index]!(data, now)
    if (truthy(value) === wanted) return value
  }
  return value
}

const reference = ([name]: readonly Json[], scope: Scope): Run => {
  if (typeof name !== "string" || !Object.hasOwn(scope.evaluators, name))
    throw new FlagParseError(`there is no shared evaluator ${JSON.stringify(name)}`)
  // One shared rule cannot name another, so nothing can go round in circles.
  return compileRule(scope.evaluators[name]!, { ...scope, evaluators: {} })
}

const variable = ([path = null, otherwise = null]: readonly Json[], scope: Scope): Run => {
  const fallback = compileRule(otherwise, scope)
  const from = compileRule(path, scope)
  if (!isConstant(from)) return (data, now) => read(data, stepsOf(from(data, now))) ?? fallback(data, now)
  const steps = stepsOf(from.known.value)
  if (scope.isRoot && steps[0] === "$flagd") return ofService(steps, scope, fallback)
  const [only] = steps
  if (only === undefined) return (data) => data
  // What every object inherits is no attribute of it.
  if (steps.length > 1 || only in Object.prototype)
    return (data, now) => read(data, steps) ?? fallback(data, now)
  if (isConstant(fallback)) {
    const { value } = fallback.known
    return (data) => memberOf(data, only) ?? value
  }
  return (data, now) => memberOf(data, only) ?? fallback(data, now)
}

const ofService = ([, member, ...more]: readonly string[], scope: Scope, fallback: Run): Run => {
  if (more.length > 0) return fallback
  if (member === "flagKey") return constant(scope.flagKey)
  return member === "timestamp" ? (_, now) => now : fallback
}

const stepsOf = (path: unknown): readonly string[] =>
  path === null || path === undefined || path === "" ? [] : String(path).split(".")

const memberOf = (data: unknown, name: string): unknown =>
  typeof data === "object" && data !== null && !Array.isArray(data)
    ? (data as Record<string, unknown>)[name]
    : read(data, [name])

const read = (data: unknown, steps: readonly string[]): unknown => {
  let value = data
  for (const step of steps) {
    if (value === null || value === undefined || !Object.hasOwn(value as object, step)) return undefined
    value = (value as Record<string, unknown>)[step]
  }
  return value
}

const missing = (operator: "missing" | "missing_some", args: readonly Run[]): Run => {
  const absent = (data: unknown, names: readonly unknown[]) =>
    names.filter((name) => ["", null, undefined].includes(read(data, stepsOf(name)) as string))
  return (data, now) => {
    const [first, second] = args.map((arg) => arg(data, now))
    if (operator === "missing")
      return absent(data, Array.isArray(first) ? first : args.map((arg) => arg(data, now)))
    const names = Array.isArray(second) ? second : []
    const lacking = absent(data, names)
    return names.length - lacking.length >= Number(first) ? [] : lacking
  }
}
