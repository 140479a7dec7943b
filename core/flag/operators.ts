import { spend } from "./run.ts"
import { semVer } from "./sem-ver.ts"

/** JSON Logic's truth: like JavaScript's, but an empty list is false. */
export const truthy = (value: unknown): boolean =>
  typeof value === "boolean" ? value : Array.isArray(value) ? value.length > 0 : Boolean(value)

/** How long a text may become. */
const TEXT_MAX = 65_536
/** So many characters, 256, are looked at in the time of one operand. */
const CHARACTER_BITS = 8

/** JavaScript's text of a value, whatever its members are, and however much of it there is. */
export const textOf = (value: unknown): string => {
  const text =
    typeof value === "string"
      ? value
      : Array.isArray(value)
        ? joined(value, ",")
        : isObject(value)
          ? "[object Object]"
          : String(value ?? "")
  spend(1 + (text.length >> CHARACTER_BITS))
  return text
}

const joined = (values: readonly unknown[], separator: string): string => {
  let text = ""
  for (let index = 0; index < values.length; index++) {
    text += (index > 0 ? separator : "") + textOf(values[index])
    if (text.length > TEXT_MAX) throw new RangeError(`a text of more than ${TEXT_MAX} characters`)
  }
  return text
}

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null

/** What is compared and counted with; JavaScript makes a number of it where it needs one. */
const plain = (value: unknown): number =>
  (typeof value === "string" || isObject(value) ? textOf(value) : value) as number

const equals = (left: unknown, right: unknown): boolean =>
  // Two texts, as nearly always, or two lists: nothing is made of them.
  typeof left === typeof right
    ? left === right
    : // biome-ignore lint/suspicious/noDoubleEquals: JSON Logic's == is JavaScript's.
      plain(left) == plain(right)

const isLess = (left: unknown, right: unknown): boolean => plain(left) < plain(right)
const isAtMost = (left: unknown, right: unknown): boolean => plain(left) <= plain(right)
const parsed = (value: unknown): number => Number.parseFloat(textOf(value))

type Operator = (...values: readonly unknown[]) => unknown

/** Operators that need nothing but their operands' values; one that is not there is `undefined`. */
export const operators: Readonly<Record<string, Operator>> = {
  "==": equals,
  "!=": (left, right) => !equals(left, right),
  "===": (left, right) => left === right,
  "!==": (left, right) => left !== right,
  "<": (left, right, high) => isLess(left, right) && (high === undefined || isLess(right, high)),
  "<=": (left, right, high) => isAtMost(left, right) && (high === undefined || isAtMost(right, high)),
  ">": (left, right) => isLess(right, left),
  ">=": (left, right) => isAtMost(right, left),
  "!": (value) => !truthy(value),
  "!!": truthy,
  in: (part, whole) => {
    if (Array.isArray(whole)) {
      spend(whole.length)
      return whole.includes(part)
    }
    // What is not there is in no text, though an empty one is in all.
    if (typeof whole !== "string" || part === null) return false
    const sought = textOf(part)
    // A search may have to look at each of the one for each of the other.
    spend(Math.ceil((sought.length * whole.length) / 2 ** CHARACTER_BITS))
    return whole.includes(sought)
  },
  starts_with: (text, part, more) =>
    typeof text === "string" && typeof part === "string" && more === undefined ? text.startsWith(part) : null,
  ends_with: (text, part, more) =>
    typeof text === "string" && typeof part === "string" && more === undefined ? text.endsWith(part) : null,
  sem_ver: semVer,
  "+": (...values) => values.reduce<number>((sum, value) => sum + parsed(value), 0),
  "*": (...values) => values.reduce<number>((product, value) => product * parsed(value), 1),
  "-": (left, right) => (right === undefined ? -plain(left) : plain(left) - plain(right)),
  "/": (left, right) => plain(left) / plain(right),
  "%": (left, right) => plain(left) % plain(right),
  min: (...values) => Math.min(...values.map(plain)),
  max: (...values) => Math.max(...values.map(plain)),
  merge: (...values) => merged(values),
  cat: (...values) => joined(values, ""),
  substr: (text, start, length) =>
    textOf(text)
      .slice(plain(start))
      .slice(0, length as number),
}

/** Lists one level flatter. */
export const merged = (values: readonly unknown[]): readonly unknown[] =>
  values.flatMap((value) => {
    spend(Array.isArray(value) ? value.length : 1)
    return value
  })
