import { Refusal } from "./errors.ts"
import { isHeldExactly } from "./json-number.ts"

const QUOTE = 0x22
const MINUS = 0x2d
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d

/** Members of one object: a single large one takes V8 a hundred times as long as text of its length. */
const OBJECT_MEMBERS_MAX = 50_000

const WORDS: Readonly<Record<number, string>> = { 116: "true", 102: "false", 110: "null" }

/**
 * Walks raw JSON once, without building anything: the grammar (all but what is inside strings, which
 * JSON.parse checks), the depth, and whether every number can be held. Returns how many members all
 * objects have together. Throws Refusal.
 *
 * One loop with its own stack: neither nesting nor length of hostile input can exhaust anything.
 */
export const scanJson = (text: string, depthMax: number, names?: Set<string>[]): number => {
  const length = text.length
  const inObject: boolean[] = []
  const held: number[] = []
  let depth = 0
  let members = 0
  let at = skipSpace(text, 0)
  for (;;) {
    // Here a value begins.
    const code = text.charCodeAt(at)
    let opened = false
    if (code === QUOTE) at = stringEnd(text, at)
    else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      if (depth === depthMax)
        throw new Refusal("JSON_TOO_DEEP", `More than ${depthMax} levels at ${place(text, at)}.`)
      inObject[depth++] = code === OPEN_OBJECT
      held[depth] = 0
      if (names) names[depth] = new Set()
      at = skipSpace(text, at + 1)
      opened = text.charCodeAt(at) !== (code === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY)
    } else if (code === MINUS || isDigit(code)) at = numberEnd(text, at)
    else at = wordEnd(text, at, code)

    // Here a value has ended, or a container has opened and is not empty.
    while (!opened) {
      at = skipSpace(text, at)
      if (depth === 0) {
        if (at < length) throw broken(text, at, "the end")
        return members
      }
      const next = text.charCodeAt(at)
      if (next === COMMA) {
        at = skipSpace(text, at + 1)
        break
      }
      if (next !== (inObject[depth - 1] ? CLOSE_OBJECT : CLOSE_ARRAY))
        throw broken(text, at, "a comma or the closing bracket")
      depth--
      at++
    }
    if (!inObject[depth - 1]) continue

    if (text.charCodeAt(at) !== QUOTE) throw broken(text, at, "a member's name in double quotes")
    const start = at
    at = stringEnd(text, at)
    if (names) noteName(text, start, at, names[depth]!)
    members++
    if (++held[depth]! > OBJECT_MEMBERS_MAX)
      throw new Refusal("JSON_TOO_MANY", `An object has more than ${OBJECT_MEMBERS_MAX} members.`)
    at = skipSpace(text, at)
    if (text.charCodeAt(at) !== COLON) throw broken(text, at, "a colon")
    at = skipSpace(text, at + 1)
  }
}

/** The refusal that names the first duplicate. Only for text that is known to hold one. */
export const duplicateMember = (text: string, depthMax: number): Refusal => {
  try {
    scanJson(text, depthMax, [])
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
  return new Refusal("JSON_DUPLICATE_KEY", "An object names a member twice.")
}

const noteName = (text: string, start: number, end: number, seen: Set<string>): void => {
  const name = JSON.parse(text.slice(start, end)) as string
  if (seen.has(name))
    throw new Refusal(
      "JSON_DUPLICATE_KEY",
      `${JSON.stringify(name.slice(0, 200))} again at ${place(text, start)}.`,
    )
  seen.add(name)
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39

const skipSpace = (text: string, from: number): number => {
  let at = from
  for (
    let code = text.charCodeAt(at);
    code === 0x20 || (code <= 0x0d && (code === 0x0a || code === 0x0d || code === 0x09));
  )
    code = text.charCodeAt(++at)
  return at
}

/** `from` is at the opening quote; the result is behind the closing one. */
const stringEnd = (text: string, from: number): number => {
  let at = from
  for (;;) {
    at = text.indexOf('"', at + 1)
    if (at === -1) throw broken(text, text.length, "the closing quote of a string")
    // A quote behind an odd number of backslashes is an escaped one. Each run is counted once.
    let run = at
    while (text.charCodeAt(run - 1) === BACKSLASH) run--
    if ((at - run) % 2 === 0) return at + 1
  }
}

const wordEnd = (text: string, from: number, code: number): number => {
  const word = WORDS[code]
  if (word === undefined || !text.startsWith(word, from)) throw broken(text, from, "a value")
  return from + word.length
}

const digitsEnd = (text: string, from: number): number => {
  let at = from
  while (isDigit(text.charCodeAt(at))) at++
  if (at === from) throw broken(text, from, "a digit")
  return at
}

/** Any decimal of at most 15 digits survives a 64-bit float, so only the rest is looked at closely. */
const SURE_LENGTH = 15

const numberEnd = (text: string, from: number): number => {
  const first = text.charCodeAt(from) === MINUS ? from + 1 : from
  const startsWithZero = text.charCodeAt(first) === 0x30
  let at = startsWithZero ? first + 1 : digitsEnd(text, first)
  let sure = !(startsWithZero && first > from)
  if (text.charCodeAt(at) === 0x2e) at = digitsEnd(text, at + 1)
  if ((text.charCodeAt(at) | 0x20) === 0x65) {
    sure = false
    const sign = text.charCodeAt(at + 1)
    at = digitsEnd(text, sign === 0x2b || sign === MINUS ? at + 2 : at + 1)
  }
  if (sure && at - first <= SURE_LENGTH) return at
  const literal = text.slice(from, at)
  if (isHeldExactly(literal)) return at
  const shown = literal.length > 60 ? `${literal.slice(0, 60)}…` : literal
  throw new Refusal(
    "JSON_NUMBER_INEXACT",
    `${shown} at ${place(text, from)} would become ${Number(literal)}.`,
  )
}

const broken = (text: string, at: number, expected: string): Refusal =>
  new Refusal("BODY_NOT_JSON", `Expected ${expected} at ${place(text, at)}.`)

const place = (text: string, at: number): string => {
  const before = text.slice(0, at)
  const line = before.split("\n").length
  return `line ${line}, column ${at - before.lastIndexOf("\n")}`
}
