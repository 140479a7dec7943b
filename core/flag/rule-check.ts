import type { Json, JsonObject } from "../json.ts"
import { shareOf, WEIGHT_MAX } from "./fractional.ts"
import { type Operation, operationOf, pointer } from "./operation.ts"

/** Notes what is wrong with the part of a rule that a JSON pointer names. */
type Wrong = (path: string, message: string) => void

interface Checking {
  variants: JsonObject
  evaluators: Readonly<Record<string, Json>>
  wrong: Wrong
  /** Lists within lists: each multiplies what an evaluation costs. */
  lists: number
}

const LISTS_MAX = 2

/** How many operands an operator takes. */
const ARITY: Readonly<Record<string, readonly [min: number, max: number]>> = {
  var: [0, 2],
  missing: [1, 100],
  missing_some: [2, 2],
  if: [2, 1_000],
  "?:": [3, 3],
  and: [1, 1_000],
  or: [1, 1_000],
  "!": [1, 1],
  "!!": [1, 1],
  "==": [2, 2],
  "===": [2, 2],
  "!=": [2, 2],
  "!==": [2, 2],
  ">": [2, 2],
  ">=": [2, 2],
  "<": [2, 3],
  "<=": [2, 3],
  "+": [1, 1_000],
  "-": [1, 2],
  "*": [1, 1_000],
  "/": [2, 2],
  "%": [2, 2],
  min: [1, 1_000],
  max: [1, 1_000],
  in: [2, 2],
  cat: [1, 1_000],
  substr: [2, 3],
  merge: [0, 1_000],
  map: [2, 2],
  filter: [2, 2],
  all: [2, 2],
  some: [2, 2],
  none: [2, 2],
  reduce: [3, 3],
  starts_with: [2, 2],
  ends_with: [2, 2],
  sem_ver: [3, 3],
  fractional: [1, 1_000],
  $ref: [1, 1],
}

const LISTS = ["map", "filter", "all", "some", "none", "reduce"]
const SEM_VER = ["=", "!=", "<", "<=", ">", ">=", "^", "~"]

/** Notes everything in a flag's rules that would not evaluate, or not to one of its variants. */
export const checkTargeting = (
  targeting: Json,
  { variants, evaluators, wrong }: Omit<Checking, "lists">,
): void => {
  for (const [name, rule] of Object.entries(evaluators))
    checkRule(rule, `/$evaluators/${pointer(name)}`, { variants, evaluators: {}, wrong, lists: 0 })
  checkResult(targeting, "/targeting", { variants, evaluators, wrong, lists: 0 })
}

/** The same of a condition that stands alone, in which nothing is shared and nobody divided. */
export const checkCondition = (condition: Json, path: string, wrong: Wrong): void =>
  checkRule(condition, path, { variants: {}, evaluators: {}, wrong, lists: 0 })

/** What stands where the name of a variant has to come out. */
const checkResult = (rule: Json, path: string, checking: Checking): void => {
  const { variants, wrong } = checking
  if (rule === null) return
  if (typeof rule === "string" || typeof rule === "boolean") {
    if (!Object.hasOwn(variants, String(rule)))
      wrong(path, `there is no variant ${JSON.stringify(rule).slice(0, 100)}`)
    return
  }
  const operation = operationOf(rule)
  if (!operation) {
    wrong(path, "is the name of a variant, null, or one operation")
    return
  }
  const { operator, operands } = operation
  if (operator !== "if" && operator !== "?:") {
    checkRule(rule, path, checking)
    return
  }
  checkOperands(rule, path, checking, (operand, at, index) => {
    const isCondition = index % 2 === 0 && index < operands.length - 1
    if (isCondition) checkRule(operand, at, checking)
    else checkResult(operand, at, checking)
  })
}

const checkRule = (rule: Json, path: string, checking: Checking): void => {
  if (typeof rule !== "object" || rule === null) return
  if (Array.isArray(rule)) {
    for (const [index, item] of rule.entries()) checkRule(item, `${path}/${index}`, checking)
    return
  }
  const operation = operationOf(rule)
  if (operation) checkOperation(operation, rule, path, checking)
  else checking.wrong(path, "is an object of one member: the operator")
}

const checkOperation = (
  { operator, operands }: Operation,
  rule: Json,
  path: string,
  checking: Checking,
): void => {
  const lists = checking.lists + (LISTS.includes(operator) ? 1 : 0)
  if (lists > LISTS_MAX) checking.wrong(path, `lists are gone through at most ${LISTS_MAX} deep`)
  else if (operator === "fractional") checkFractional(operands, `${path}/fractional`, checking)
  else checkOperands(rule, path, checking, (operand, at) => checkRule(operand, at, { ...checking, lists }))
  if (operator === "$ref") checkReference(operands[0], path, checking)
  if (operator === "sem_ver" && typeof operands[1] === "string" && !SEM_VER.includes(operands[1]))
    checking.wrong(`${path}/sem_ver/1`, `is one of ${SEM_VER.join(" ")}`)
}

const checkOperands = (
  rule: Json,
  path: string,
  { wrong }: Checking,
  check: (operand: Json, path: string, index: number) => void,
): void => {
  const { operator, operands, isList } = operationOf(rule)!
  const arity = Object.hasOwn(ARITY, operator) ? ARITY[operator] : undefined
  if (!arity) {
    wrong(`${path}/${pointer(operator)}`, "is no operator; see docs/flags.md for those there are")
    return
  }
  const [min, max] = arity
  if (operands.length < min || operands.length > max)
    wrong(`${path}/${pointer(operator)}`, `takes ${min === max ? min : `${min} to ${max}`} operands`)
  const at = `${path}/${pointer(operator)}`
  for (const [index, operand] of operands.entries()) check(operand, isList ? `${at}/${index}` : at, index)
}

const checkReference = (name: Json | undefined, path: string, { evaluators, wrong }: Checking): void => {
  if (typeof name !== "string" || !Object.hasOwn(evaluators, name))
    wrong(`${path}/$ref`, "names one of this flag's $evaluators, which name no others")
}

const checkFractional = (operands: readonly Json[], path: string, checking: Checking): void => {
  const beginsWithShare = Array.isArray(operands[0])
  if (!beginsWithShare) checkRule(operands[0] ?? null, `${path}/0`, checking)
  const shares = beginsWithShare ? operands : operands.slice(1)
  if (shares.length === 0) checking.wrong(path, "has at least one share: [variant, weight]")
  let total = 0
  for (const [index, share] of shares.entries()) {
    const at = `${path}/${index + (beginsWithShare ? 0 : 1)}`
    total += weightOf(share, at, checking)
  }
  // A weight that is computed may be anything.
  if (shares.length > 0 && !(total >= 1 || Number.isNaN(total)))
    checking.wrong(path, "gives a share to nobody: the weights add up to 0")
  if (total > WEIGHT_MAX) checking.wrong(path, `weights that add up to more than ${WEIGHT_MAX}`)
}

const weightOf = (share: Json, path: string, checking: Checking): number => {
  if (!Array.isArray(share) || share.length === 0 || share.length > 2) {
    checking.wrong(path, "is [variant] or [variant, weight]")
    return Number.NaN
  }
  const [variant = null, weight = 1] = share
  checkResult(variant, `${path}/0`, checking)
  if (typeof weight === "object" && weight !== null) {
    checkRule(weight, `${path}/1`, checking)
    return Number.NaN
  }
  const known = shareOf([null, weight])
  if (!known || (weight as number) < 0) checking.wrong(`${path}/1`, "is a whole number of 0 or more")
  return known?.weight ?? Number.NaN
}
