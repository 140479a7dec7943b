import { sha256Hex } from "../hash.ts"

const TIME_DIGITS = 12

/**
 * A UUIDv7 (RFC 9562) that follows from another and from words: of its time, and the same whenever it is asked for. What a
 * job makes is named so, so that a second attempt finds what the first one made.
 */
export const derivedUuid = (from: string, ...words: readonly string[]): string => {
  const time = from.replaceAll("-", "").slice(0, TIME_DIGITS)
  const hash = sha256Hex([from, ...words].join("\n"))
  const variant = "89ab"[Number.parseInt(hash[3]!, 16) % 4]!
  const digits = `${time}7${hash.slice(0, 3)}${variant}${hash.slice(4, 19)}`
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5")
}
