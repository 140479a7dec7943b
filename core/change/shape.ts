import type { FieldError } from "../errors.ts"
import type { Json } from "../json.ts"

/** Notes what is wrong with the member that a JSON pointer names. */
type Wrong = (path: string, message: string) => void

/** Reads a part of a document; what is wrong with it is noted, and the answer then means nothing. */
export type Reader<Value> = (value: Json, path: string, wrong: Wrong) => Value

type ReadersOf<Members> = { [Name in keyof Members]-?: Reader<Exclude<Members[Name], undefined>> }

/** The value as it was read, or everything that is wrong with it. */
export const readAll = <Value>(
  reader: Reader<Value>,
  value: Json,
): { value: Value; errors: readonly FieldError[] } => {
  const errors: FieldError[] = []
  const read = reader(value, "", (path, message) => errors.push({ path, message }))
  return { value: read, errors }
}

/** An object with these members and no others; all of them, but for the optional ones. */
export const record =
  <Members extends object>(
    readers: ReadersOf<Members>,
    optional: readonly (keyof Members & string)[] | "all" = [],
  ): Reader<Members> =>
  (value, path, wrong) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      wrong(path, "is an object")
      return {} as Members
    }
    const names = Object.keys(readers) as (keyof Members & string)[]
    for (const name of names)
      if (optional !== "all" && !optional.includes(name) && !Object.hasOwn(value, name))
        wrong(`${path}/${name}`, "is missing")
    const read = Object.keys(value).flatMap((name) => {
      const at = `${path}/${name.slice(0, 100).replaceAll("~", "~0").replaceAll("/", "~1")}`
      if (Object.hasOwn(readers, name))
        return [[name, readers[name as keyof Members](value[name]!, at, wrong)] as const]
      wrong(at, `is not one of ${names.join(", ")}`)
      return []
    })
    return Object.fromEntries(read) as Members
  }

/** A list of so many. A long one is not looked into. */
export const list =
  <Item>(item: Reader<Item>, lengths: { min: number; max: number }): Reader<Item[]> =>
  (value, path, wrong) => {
    const { min, max } = lengths
    if (!Array.isArray(value) || value.length < min || value.length > max) {
      wrong(path, `is a list of ${min} to ${max}`)
      return []
    }
    return value.map((one, index) => item(one, `${path}/${index}`, wrong))
  }

/** The same, of which none is there twice. */
export const set =
  <Item extends string>(item: Reader<Item>, lengths: { min: number; max: number }): Reader<Item[]> =>
  (value, path, wrong) => {
    const items = list(item, lengths)(value, path, wrong)
    for (const [index, one] of items.entries())
      if (items.indexOf(one) < index) wrong(`${path}/${index}`, "is there already")
    return items
  }

export const oneOf =
  <Value extends string>(values: readonly Value[]): Reader<Value> =>
  (value, path, wrong) => {
    if (!(values as readonly Json[]).includes(value)) wrong(path, `is one of ${values.join(", ")}`)
    return value as Value
  }

/** A text that passes; what it should be, in words. */
export const text =
  <Value extends string>(passes: (text: string) => boolean, words: string): Reader<Value> =>
  (value, path, wrong) => {
    if (typeof value !== "string" || !passes(value)) wrong(path, words)
    return value as Value
  }

export const boolean: Reader<boolean> = (value, path, wrong) => {
  if (typeof value !== "boolean") wrong(path, "is true or false")
  return value as boolean
}

/** A number between the two, whole unless said otherwise. */
export const number =
  (min: number, max: number, kind: "whole" | "any" = "whole"): Reader<number> =>
  (value, path, wrong) => {
    const isNumber = kind === "whole" ? Number.isInteger(value) : typeof value === "number"
    if (!isNumber || (value as number) < min || (value as number) > max)
      wrong(path, `is a ${kind === "whole" ? "whole number" : "number"} from ${min} to ${max}`)
    return value as number
  }

export const orNull =
  <Value>(reader: Reader<Value>): Reader<Value | null> =>
  (value, path, wrong) =>
    value === null ? null : reader(value, path, wrong)
