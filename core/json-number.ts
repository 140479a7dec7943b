/**
 * Would JavaScript print the same number back? True when the literal's mathematical value equals that
 * of `String(Number(literal))`: of `1.10`, `1e2` and `0.1`, not of `9007199254740993`, `1e400` or a
 * decimal with more digits than a 64-bit float keeps. `-0` is not held: canonical JSON (RFC 8785,
 * section 3.2.2.3) prints it without its sign.
 *
 * `literal` is a number in JSON's grammar. Linear in its length.
 */
export const isHeldExactly = (literal: string): boolean => {
  const held = Number(literal)
  if (!Number.isFinite(held) || Object.is(held, -0)) return false
  const print = String(held)
  if (print === literal) return true
  const sent = decompose(literal)
  const printed = decompose(print)
  return sent.digits === printed.digits && sent.exponent === printed.exponent
}

/** The number as `0.digits × 10^exponent`, digits without zeros at either end; the sign is left out. */
const decompose = (literal: string): { digits: string; exponent: number } => {
  const mark = Math.max(literal.indexOf("e"), literal.indexOf("E"))
  const end = mark === -1 ? literal.length : mark
  const start = literal.startsWith("-") ? 1 : 0
  const point = literal.indexOf(".")
  const whole = literal.slice(start, point === -1 ? end : point)
  const all = point === -1 ? whole : whole + literal.slice(point + 1, end)
  let first = 0
  while (all.charCodeAt(first) === 0x30) first++
  if (first === all.length) return { digits: "", exponent: 0 }
  let last = all.length
  while (all.charCodeAt(last - 1) === 0x30) last--
  // A written exponent too large for this sum to be exact is far beyond any float: no match either way.
  const shift = mark === -1 ? 0 : Number(literal.slice(mark + 1))
  return { digits: all.slice(first, last), exponent: whole.length - first + shift }
}
