interface Version {
  numbers: readonly number[]
  prerelease: readonly string[]
}

/** `major.minor.patch`, or the first one or two of them, as https://semver.org has it; `v` may stand before it. */
const SHAPE =
  /^[vV]?(0|[1-9]\d{0,15})(?:\.(0|[1-9]\d{0,15}))?(?:\.(0|[1-9]\d{0,15})(?:-([\w-]+(?:\.[\w-]+)*))?(?:\+[\w.-]+)?)?$/

const parse = (value: unknown): Version | null => {
  if (typeof value !== "string" && typeof value !== "number") return null
  const match = SHAPE.exec(String(value))
  if (!match) return null
  const [, major, minor = "0", patch = "0", prerelease] = match
  const identifiers = prerelease?.split(".") ?? []
  // A number with a zero before it is no number, and no name either.
  if (identifiers.some((each) => /^0\d+$/.test(each) || each.includes("_"))) return null
  return { numbers: [Number(major), Number(minor), Number(patch)], prerelease: identifiers }
}

const sign = (left: number | string, right: number | string): number =>
  left < right ? -1 : left > right ? 1 : 0

const compareIdentifiers = (left: string, right: string): number => {
  const [a, b] = [/^\d+$/.test(left), /^\d+$/.test(right)]
  if (a && b) return sign(left.length, right.length) || sign(left, right)
  return a === b ? sign(left, right) : a ? -1 : 1
}

const compare = (left: Version, right: Version): number => {
  for (let index = 0; index < 3; index++) {
    const order = sign(left.numbers[index]!, right.numbers[index]!)
    if (order !== 0) return order
  }
  // With a prerelease comes before without one; otherwise the first that differs decides, then the number of them.
  if (left.prerelease.length === 0 || right.prerelease.length === 0)
    return sign(right.prerelease.length, left.prerelease.length)
  for (let index = 0; index < Math.min(left.prerelease.length, right.prerelease.length); index++) {
    const order = compareIdentifiers(left.prerelease[index]!, right.prerelease[index]!)
    if (order !== 0) return order
  }
  return sign(left.prerelease.length, right.prerelease.length)
}

/** `[version, operator, version]`; `null` when that is not what it is. */
export const semVer = (args: readonly unknown[]): boolean | null => {
  if (args.length !== 3) return null
  const [left, right] = [parse(args[0]), parse(args[2])]
  if (!left || !right) return null
  const order = compare(left, right)
  switch (args[1]) {
    case "=":
      return order === 0
    case "!=":
      return order !== 0
    case "<":
      return order < 0
    case "<=":
      return order <= 0
    case ">":
      return order > 0
    case ">=":
      return order >= 0
    case "^":
      return left.numbers[0] === right.numbers[0]
    case "~":
      return left.numbers[0] === right.numbers[0] && left.numbers[1] === right.numbers[1]
    default:
      return null
  }
}
