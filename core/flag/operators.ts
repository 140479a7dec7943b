import type { Run } from "./run.ts"

/** JSON Logic's truth: like JavaScript's, but an empty list is false. */
export const truthy = (value: unknown): boolean =>
  typeof value === "boolean" ? value : Array.isArray(value) ? value.length > 0 : Boolean(value)

/** How many items all the lists of one evaluation may have together, and how long a text may become. */
const ITEMS_MAX = 100_000
const TEXT_MAX = 65_536

let itemsLeft = ITEMS_MAX
/** Begins an evaluation: everything before it is forgotten. */
export const refillItems = (): void => {
  itemsLeft = ITEMS_MAX
}
const spend = (count: number): void => {
  itemsLeft -= count
  if (itemsLeft < 0) throw new RangeError(`its lists have more than ${ITEMS_MAX} items`)
}

type Compare = (left: unknown, right: unknown) => unknown

const asText = (value: unknown): string => (value === null || value === undefined ? "" : String(value))

const text = (compare: (value: string, part: string) => boolean): Compare => {
  return (value, part) =>
    typeof value === "string" && typeof part === "string" ? compare(value, part) : null
}

/** Operators of two operands, with nothing between them and the closures. */
export const compareOperators: Readonly<Record<string, Compare>> = {
  // biome-ignore lint/suspicious/noDoubleEquals: JSON Logic's == is JavaScript's.
  "==": (left, right) => left == right,
  "===": (left, right) => left === right,
  // biome-ignore lint/suspicious/noDoubleEquals: as above.
  "!=": (left, right) => left != right,
  "!==": (left, right) => left !== right,
  "<": (left, right) => (left as number) < (right as number),
  "<=": (left, right) => (left as number) <= (right as number),
  ">": (left, right) => (left as number) > (right as number),
  ">=": (left, right) => (left as number) >= (right as number),
  "!": (value) => !truthy(value),
  "!!": (value) => truthy(value),
  "%": (left, right) => (left as number) % (right as number),
  "/": (left, right) => (left as number) / (right as number),
  in: (part, whole) => {
    if (typeof whole === "string") return whole.includes(asText(part))
    if (!Array.isArray(whole)) return false
    spend(whole.length)
    return whole.includes(part)
  },
}

const wrongCount = (): null => null

/** Operators of any number of operands. */
export const listOperators: Readonly<Record<string, (args: readonly unknown[]) => unknown>> = {
  "<": ([low, value, high]) => (low as number) < (value as number) && (value as number) < (high as number),
  "<=": ([low, value, high]) => (low as number) <= (value as number) && (value as number) <= (high as number),
  starts_with: (args) =>
    args.length === 2 ? text((value, part) => value.startsWith(part))(args[0], args[1]) : wrongCount(),
  ends_with: (args) =>
    args.length === 2 ? text((value, part) => value.endsWith(part))(args[0], args[1]) : wrongCount(),
  "+": (args) => args.reduce<number>((sum, value) => sum + Number.parseFloat(value as string), 0),
  "*": (args) => args.reduce<number>((product, value) => product * Number.parseFloat(value as string), 1),
  "-": (args) => (args.length === 1 ? -(args[0] as number) : (args[0] as number) - (args[1] as number)),
  min: (args) => Math.min(...(args as number[])),
  max: (args) => Math.max(...(args as number[])),
  merge: (args) => args.flat(),
  cat: (args) => bounded(args.map(asText).join("")),
  substr: ([source, start, length]) => {
    const from = asText(source).substr(
      start as number,
      (length as number) >= 0 ? (length as number) : undefined,
    )
    return (length as number) < 0 ? from.slice(0, Math.max(0, from.length + (length as number))) : from
  },
}

const bounded = (joined: string): string => {
  if (joined.length > TEXT_MAX) throw new RangeError(`a text of more than ${TEXT_MAX} characters`)
  return joined
}

type Iterate = (over: Run, ofItem: Run, ofStart: Run) => Run

const over = (use: (items: readonly unknown[], ofItem: (item: unknown) => unknown) => unknown): Iterate => {
  return (list, ofItem) => (data, now) => {
    const items = list(data, now)
    if (!Array.isArray(items)) return use([], () => null)
    spend(items.length)
    return use(items, (item) => ofItem(item, now))
  }
}

/** Operators whose rule sees the items of a list, one after the other, and not the context. */
export const iterating: Readonly<Record<string, Iterate>> = {
  map: over((items, ofItem) => items.map(ofItem)),
  filter: over((items, ofItem) => items.filter((item) => truthy(ofItem(item)))),
  all: over((items, ofItem) => items.length > 0 && items.every((item) => truthy(ofItem(item)))),
  some: over((items, ofItem) => items.some((item) => truthy(ofItem(item)))),
  none: over((items, ofItem) => !items.some((item) => truthy(ofItem(item)))),
  reduce: (list, ofItem, ofStart) => (data, now) => {
    const items = list(data, now)
    let accumulator = ofStart(data, now)
    if (!Array.isArray(items)) return accumulator
    spend(items.length)
    for (const current of items) accumulator = ofItem({ current, accumulator }, now)
    return accumulator
  },
}
