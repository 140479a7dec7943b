import { Refusal } from "./errors.ts"
import { duplicateMember, scanJson } from "./json-scan.ts"

/** A JSON value as JavaScript holds it. */
export type Json = null | boolean | number | string | Json[] | JsonObject
export interface JsonObject {
  [key: string]: Json
}

/** Objects and arrays may be nested this deep. */
const DEPTH_MAX = 64
/** Members of all objects together. Large objects take V8 a hundred times as long as text of their length. */
const MEMBERS_MAX = 100_000

/**
 * Reads JSON from outside and keeps exactly what was sent, or refuses: `BODY_NOT_JSON` for broken
 * grammar, `JSON_TOO_DEEP` beyond 64 levels, `JSON_TOO_MANY` beyond 50,000 members of an object or 100,000 of all, `JSON_NUMBER_INEXACT` for a literal that a 64-bit float
 * would alter (`-0` among them, as canonical JSON drops its sign), `JSON_DUPLICATE_KEY`, `JSON_NUL`,
 * `JSON_LONE_SURROGATE`. Linear in the length of the text. A member called `__proto__` is an
 * ordinary member.
 */
export const parseJson = (text: string): Json => {
  if (text.includes("\0")) throw new Refusal("JSON_NUL", "The text holds U+0000.")
  if (!text.isWellFormed()) throw new Refusal("JSON_LONE_SURROGATE", "The text holds half a surrogate pair.")
  const members = scanJson(text, DEPTH_MAX)
  if (members > MEMBERS_MAX)
    throw new Refusal("JSON_TOO_MANY", `It has ${members} members; at most ${MEMBERS_MAX} are read.`)
  const value = parseScanned(text)
  // A raw half pair was refused above, so only an escape can still make a bad string.
  const survivors = text.includes("\\u") ? countCheckingStrings(value) : countMembers(value)
  // JSON.parse keeps the last of equal members: where fewer came out than went in, one was a duplicate.
  if (survivors !== members) throw duplicateMember(text, DEPTH_MAX)
  return value
}

const parseScanned = (text: string): Json => {
  try {
    return JSON.parse(text) as Json
  } catch {
    throw new Refusal("BODY_NOT_JSON", "A string holds an unescaped control character or an unknown escape.")
  }
}

const countMembers = (value: Json): number => {
  if (typeof value !== "object" || value === null) return 0
  let count = 0
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === "object") count += countMembers(item)
    return count
  }
  const keys = Object.keys(value)
  for (const key of keys) {
    const member = value[key]!
    if (typeof member === "object") count += countMembers(member)
  }
  return count + keys.length
}

const countCheckingStrings = (value: Json): number => {
  if (typeof value === "string") checkString(value)
  if (typeof value !== "object" || value === null) return 0
  let count = 0
  if (Array.isArray(value)) {
    for (const item of value) count += countCheckingStrings(item)
    return count
  }
  for (const key of Object.keys(value)) {
    checkString(key)
    count += 1 + countCheckingStrings(value[key]!)
  }
  return count
}

const checkString = (text: string): void => {
  if (text.includes("\0")) throw new Refusal("JSON_NUL", "A string holds U+0000.")
  if (!text.isWellFormed()) throw new Refusal("JSON_LONE_SURROGATE", "A string holds half a surrogate pair.")
}

/**
 * Canonical JSON, RFC 8785: members sorted by UTF-16 code units, no white space, numbers as
 * ECMAScript prints them. Members that are `undefined` are left out, as JSON.stringify does.
 * Throws a TypeError for what JSON cannot hold: NaN, infinities, lone surrogates, functions.
 */
export const canonical = (value: Json): string => {
  const text = isOrdered(value) ? JSON.stringify(value) : write(value)
  // JSON.stringify writes half a surrogate pair as an escape; no other escape begins with `\ud`.
  if (text.includes("\\ud")) checkWellFormed(value)
  return text
}

/** Does JSON.stringify already print this canonically? True of everything parsed from canonical text. */
const isOrdered = (value: Json): boolean => {
  if (typeof value !== "object") return isPlain(value)
  if (value === null) return true
  if (Array.isArray(value)) {
    for (const item of value) if (!isOrdered(item)) return false
    return true
  }
  let previous = ""
  for (const key of Object.keys(value)) {
    if (key < previous) return false
    previous = key
    const member = value[key]
    if (member !== undefined && !isOrdered(member)) return false
  }
  return true
}

const isPlain = (value: Json): true => {
  if (typeof value === "number" && !Number.isFinite(value)) throw new TypeError(`JSON has no ${value}`)
  if (
    value === undefined ||
    typeof value === "function" ||
    typeof value === "symbol" ||
    typeof value === "bigint"
  )
    throw new TypeError(`JSON has no ${typeof value}`)
  return true
}

const write = (value: Json): string => {
  if (typeof value === "string") return JSON.stringify(value)
  if (typeof value !== "object") return isPlain(value) && String(value === 0 ? 0 : value)
  if (value === null) return "null"
  let text = ""
  if (Array.isArray(value)) {
    for (const item of value) text += text === "" ? write(item) : `,${write(item)}`
    return `[${text}]`
  }
  // The default order of sort() is that of UTF-16 code units, which is what RFC 8785 asks for.
  for (const key of Object.keys(value).sort()) {
    const member = value[key]
    if (member === undefined) continue
    text += text === "" ? `${JSON.stringify(key)}:` : `,${JSON.stringify(key)}:`
    text += write(member)
  }
  return `{${text}}`
}

const checkWellFormed = (value: Json): void => {
  if (typeof value === "string" && !value.isWellFormed())
    throw new TypeError("a string holds half a surrogate pair")
  if (typeof value !== "object" || value === null) return
  for (const [key, member] of Object.entries(value)) {
    checkWellFormed(key)
    if (member !== undefined) checkWellFormed(member)
  }
}

const encoder = new TextEncoder()
/** Beyond this length the encoder's own loop outweighs what calling it costs. */
const COUNTED_LENGTH_MAX = 160

/** Length of well-formed text in bytes of UTF-8. */
export const byteLength = (text: string): number => {
  if (text.length > COUNTED_LENGTH_MAX) return encoder.encode(text).length
  let bytes = text.length
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    // Half of a pair, of which both make four bytes, counts two; every other unit from U+0800 on three.
    if (code > 0x7f) bytes += code < 0x800 || (code & 0xf800) === 0xd800 ? 1 : 2
  }
  return bytes
}
