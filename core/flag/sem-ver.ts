import { textOf } from "./operators.ts"

/** `major.minor.patch`, or the first one or two of them, as https://semver.org has it; `v` may stand before it. */
const SHAPE =
  /^v?(0|[1-9]\d*)(?:\.(0|[1-9]\d*))?(?:\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-z-][\da-z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-z-][\da-z-]*))*))?(?:\+[\da-z.-]+)?)?$/i
const LENGTH_MAX = 128
const OPERATORS: readonly unknown[] = ["=", "!=", "<", "<=", ">", ">=", "^", "~"]

/**
 * A text that comes before another one's where the version does: numbers are as long as each other and begin with
 * spaces, so before names; what is shorter comes first. What has no prerelease has 1 for it, others 0.
 */
const sortable = (value: unknown): string | null => {
  const text = textOf(value)
  const found = text.length > LENGTH_MAX ? null : SHAPE.exec(text)
  if (!found) return null
  const [, major = "", minor = "0", patch = "0", prerelease] = found
  return [major, minor, patch, ...(prerelease ? `0.${prerelease}` : "1").split(".")]
    .map((each) => (/\D/.test(each) ? each : each.padStart(LENGTH_MAX)))
    .join("\0")
}

/** Does `[version, operator, version]` hold? `null`: that is not what it is. */
export const semVer = (one: unknown, operator: unknown, other: unknown): boolean | null => {
  const [left, right] = [sortable(one), sortable(other)]
  if (left === null || right === null) return null
  const isSame = (parts: number): boolean => {
    const length = parts * (LENGTH_MAX + 1)
    return left.slice(0, length) === right.slice(0, length)
  }
  return (
    [
      left === right,
      left !== right,
      left < right,
      left <= right,
      left > right,
      left >= right,
      isSame(1),
      isSame(2),
    ][OPERATORS.indexOf(operator)] ?? null
  )
}
