import { notAFloat, notAnInteger, RedisFault } from "../reply.ts"

/** Orders strings as Redis does, by their UTF-8 bytes. UTF-16 order differs where surrogates are involved. */
export const compareBytes = (a: string, b: string): number => {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i)
    const right = b.charCodeAt(i)
    if (left !== right) return byteRank(left) - byteRank(right)
  }
  return a.length - b.length
}
/** Surrogates stand for code points above every other code unit's. */
const byteRank = (unit: number): number => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit)

const INTEGER = /^(?:0|-?[1-9]\d*)$/
const MAX_INT64 = 2n ** 63n - 1n

/** A 64-bit integer in its canonical form, or the fault that Redis answers with. */
export const parseInteger = (text: string): bigint => {
  if (!INTEGER.test(text) || text.length > 20) throw notAnInteger()
  const value = BigInt(text)
  if (!fitsInt64(value)) throw notAnInteger()
  return value
}
export const fitsInt64 = (value: bigint): boolean => value <= MAX_INT64 && value >= -MAX_INT64 - 1n

/** An index or count: a 64-bit integer, which beyond 2^53 is as good as infinite. */
export const parseCount = (text: string): number => {
  const value = Number(text)
  return Number.isSafeInteger(value) && INTEGER.test(text) ? value : Number(parseInteger(text))
}

/** A score, with `inf`, `+inf` and `-inf`. */
export const parseScore = (text: string): number => {
  const lower = text.toLowerCase()
  if (lower === "inf" || lower === "+inf" || lower === "infinity" || lower === "+infinity") return Infinity
  if (lower === "-inf" || lower === "-infinity") return -Infinity
  const value = Number(text)
  if (text === "" || /\s/.test(text) || Number.isNaN(value)) throw notAFloat()
  return value
}

/** A double as Redis prints it, in the fewest digits that name it. */
export const formatScore = (score: number): string => {
  if (score === Infinity) return "inf"
  if (score === -Infinity) return "-inf"
  if (Object.is(score, -0)) return "-0"
  const size = Math.abs(score)
  if (score === 0 || (size >= 1e-4 && size < 1e17)) return String(score)
  return score.toExponential().replace(/e([+-])(\d)$/, "e$10$2")
}

/** One end of a range of scores: `5`, `(5`, `-inf`. */
export const parseBound = (text: string): { score: number; exclusive: boolean } => {
  const exclusive = text.startsWith("(")
  try {
    return { score: parseScore(exclusive ? text.slice(1) : text), exclusive }
  } catch {
    throw new RedisFault("ERR min or max is not a float")
  }
}

const DECIMAL = /^([+-]?)(\d+)(?:\.(\d+))?$/

/**
 * The sum of two decimals as a decimal. Redis adds in 80-bit floats and prints 17 digits, which for decimals of
 * everyday length is the exact sum; 64-bit floats would show 0.1 + 0.2 as 0.30000000000000004.
 */
export const addDecimals = (a: string, b: string): string => {
  const left = DECIMAL.exec(a)
  const right = DECIMAL.exec(b)
  if (left === null || right === null) return addFloats(parseScore(a), parseScore(b))
  const digits = Math.max(left[3]?.length ?? 0, right[3]?.length ?? 0)
  if (digits > 17) return addFloats(Number(a), Number(b))
  const sum = scaled(left, digits) + scaled(right, digits)
  const text = (sum < 0n ? -sum : sum).toString().padStart(digits + 1, "0")
  const whole = text.slice(0, text.length - digits)
  const fraction = text.slice(text.length - digits).replace(/0+$/, "")
  return `${sum < 0n ? "-" : ""}${whole}${fraction === "" ? "" : `.${fraction}`}`
}
const scaled = ([, sign, whole, fraction = ""]: RegExpExecArray, digits: number): bigint => {
  const value = BigInt(whole + fraction.padEnd(digits, "0"))
  return sign === "-" ? -value : value
}
const addFloats = (a: number, b: number): string => {
  const sum = a + b
  if (!Number.isFinite(sum)) throw new RedisFault("ERR increment would produce NaN or Infinity")
  return String(sum)
}

/** Redis's glob: `*`, `?`, `[a-z]`, `[^a]`, and a backslash that takes the next character as it is. */
export const globToRegExp = (glob: string): RegExp => {
  let source = ""
  for (let i = 0; i < glob.length; i++) {
    const char = glob[i]!
    if (char === "*") source += ".*"
    else if (char === "?") source += "."
    else if (char === "\\" && i + 1 < glob.length) source += literal(glob[++i]!)
    else if (char === "[") {
      const end = glob.indexOf("]", i + 1)
      const inside = glob.slice(i + 1, end === -1 ? undefined : end)
      source += `[${inside.replace(/[\\\]]/g, "\\$&")}]`
      i = end === -1 ? glob.length : end
    } else source += literal(char)
  }
  return new RegExp(`^${source}$`, "su")
}
const literal = (char: string): string => char.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")
