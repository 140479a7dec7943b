import type { Json } from "../../../core/json.ts"
import { parseJson } from "../../../core/json.ts"
import { wrongUsage } from "./failure.ts"

const PLAIN = /^[A-Za-z0-9_./:@+-]+$/
const LINE = /^(?:export\s+)?([A-Za-z0-9][A-Za-z0-9._-]*)\s*=\s*(.*)$/
/** In a pair of quotes, and behind it nothing but a comment. */
const DOUBLE = /^("(?:[^"\\]|\\.)*")\s*(?:#.*)?$/
const SINGLE = /^'([^']*)'\s*(?:#.*)?$/
const COMMENT = /(?:^|\s)#.*$/

/** Is it a number, true, false or null, and not a text? */
const literal = (text: string): Json | undefined => {
  if (!/^(?:true|false|null|-?\d[\d.eE+-]*)$/.test(text)) return undefined
  try {
    return parseJson(text)
  } catch {
    return undefined
  }
}

const isStructure = (text: string): boolean => /^[[{]/.test(text.trim())

const valueIn = (text: string): Json => {
  const double = DOUBLE.exec(text)?.[1]
  if (double !== undefined) return parseJson(double)
  const single = SINGLE.exec(text)?.[1]
  if (single !== undefined) return isStructure(single) ? parseJson(single) : single
  if (/^["']/.test(text)) throw new Error("the quotes do not end, or something stands behind them")
  const bare = text.replace(COMMENT, "").trim()
  const exactly = literal(bare)
  return exactly === undefined ? bare : exactly
}

/**
 * Keys and values of a .env file. Without quotes, numbers, true, false and null are what they are and all else is text; in single
 * quotes a JSON object or array is one; in double quotes is text. Throws Failure with the line that is not understood.
 */
export const readDotenv = (text: string): Map<string, Json> => {
  const values = new Map<string, Json>()
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const trimmed = line.trim()
    if (trimmed === "" || trimmed.startsWith("#")) continue
    try {
      const [, key, value] = LINE.exec(trimmed) ?? []
      if (key === undefined) throw new Error("expected key=value")
      if (values.has(key)) throw new Error(`"${key}" stands there twice`)
      values.set(key, valueIn(value!))
    } catch (error) {
      throw wrongUsage(`line ${index + 1}: ${(error as Error).message}`)
    }
  }
  return values
}

const textOf = (value: Json): string => {
  if (typeof value === "string")
    return PLAIN.test(value) && literal(value) === undefined ? value : JSON.stringify(value)
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  return `'${JSON.stringify(value).replaceAll("'", "\\u0027")}'`
}

/** The same as {@link readDotenv} reads. */
export const writeDotenv = (values: ReadonlyMap<string, Json>): string =>
  [...values].map(([key, value]) => `${key}=${textOf(value)}\n`).join("")
