import type { FieldError } from "../errors.ts"
import { type Definition, NEEDED_MAX } from "./flags.ts"

type Flags = ReadonlyMap<string, Definition>

const needsOf = (flags: Flags, key: string): readonly string[] =>
  flags.get(key)?.prerequisites?.map(({ flag }) => flag) ?? []

/** The keys with those flags that need one of them, directly or by way of others. */
const withDependents = (flags: Flags, keys: Iterable<string>): Set<string> => {
  const needing = new Map<string, string[]>()
  for (const key of flags.keys())
    for (const needed of needsOf(flags, key)) {
      const others = needing.get(needed)
      if (others) others.push(key)
      else needing.set(needed, [key])
    }
  const all = new Set(keys)
  for (const key of all) for (const dependent of needing.get(key) ?? []) all.add(dependent)
  return all
}

/**
 * What is wrong with what flags need of each other, as far as it comes of the edited ones: those that go round in a
 * circle, and those that need too many others, by the key of the flag.
 */
export const wrongPrerequisites = (flags: Flags, edited: Iterable<string>): FieldError[] => {
  const known = new Map<string, number | string>()
  const costOf = (key: string, path: readonly string[]): number | string => {
    const before = known.get(key)
    if (before !== undefined) return before
    const start = path.indexOf(key)
    if (start !== -1) return `goes round in a circle: ${[...path.slice(start), key].join(" → ")}`
    let cost: number | string = 1
    for (const needed of needsOf(flags, key)) {
      const more = path.length > NEEDED_MAX ? NEEDED_MAX : costOf(needed, [...path, key])
      cost = typeof more === "string" ? more : cost + more
      if (typeof cost === "string") break
      if (cost > NEEDED_MAX) cost = `needs more than ${NEEDED_MAX} other flags, with what those need`
      if (typeof cost === "string") break
    }
    known.set(key, cost)
    return cost
  }
  const guarded = [...edited].filter((key) => needsOf(flags, key).length > 0)
  for (const key of withDependents(flags, guarded)) {
    const cost = costOf(key, [])
    if (typeof cost === "string") return [{ path: `${key}/prerequisites`, message: cost }]
  }
  return []
}

/** Prerequisites of the edited flags that nobody can meet: of a flag that is not there, or of variants it does not have. */
export const unmeetable = (flags: Flags, edited: Iterable<string>): FieldError[] =>
  [...edited].flatMap((key) =>
    (flags.get(key)?.prerequisites ?? []).flatMap(({ flag, variants }, index): FieldError[] => {
      const path = `${key}/prerequisites/${index}`
      const needed = flags.get(flag)
      if (!needed) return [{ path: `${path}/flag`, message: `there is no flag ${flag} here` }]
      const names = Object.keys(variantsOf(needed))
      if (variants.some((name) => names.includes(name))) return []
      return [
        {
          path: `${path}/variants`,
          message: `${flag} has other variants: ${names.slice(0, 5).join(", ")}`,
        },
      ]
    }),
  )

const variantsOf = (definition: Definition): object =>
  "enabled" in definition ? { on: true, off: false } : definition.variants
