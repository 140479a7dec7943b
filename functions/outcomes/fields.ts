import { type FieldError, Refusal } from "../../core/errors.ts"

// Bodies are checked by hand: a schema library would weigh more than all of this.

/** What a field has to be, in code and in words. */
export interface Field {
  test: (value: unknown) => boolean
  wanted: string
  optional?: true
}
export type Fields = Readonly<Record<string, Field>>

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const optional = (field: Field): Field => ({ ...field, optional: true })

/** A whole number from 0. */
export const wholeUpTo = (max: number): Field => ({
  test: (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max,
  wanted: `a whole number from 0 to ${max}`,
})

const LATENCY_ENTRIES_MAX = 64
const LATENCY_MS_MAX = 3_600_000

/** Pairs `[upToMs, count]`, each count up to `countMax`. */
export const latencyUpTo = (countMax: number): Field => {
  const count = wholeUpTo(countMax)
  const isTiming = (value: unknown): boolean =>
    Array.isArray(value) &&
    value.length === 2 &&
    typeof value[0] === "number" &&
    value[0] > 0 &&
    value[0] <= LATENCY_MS_MAX &&
    count.test(value[1])
  return {
    test: (value) => Array.isArray(value) && value.length <= LATENCY_ENTRIES_MAX && value.every(isTiming),
    wanted: `at most ${LATENCY_ENTRIES_MAX} pairs [upToMs, count]`,
    optional: true,
  }
}

/** Everything that is wrong with what should be an object of these fields and no others. */
export const wrongIn = (value: unknown, path: string, fields: Fields): FieldError[] => {
  if (!isObject(value)) return [{ path, message: "It is an object." }]
  const unknown = Object.keys(value)
    .filter((name) => !Object.hasOwn(fields, name))
    .map((name) => ({ path: `${path}/${name}`, message: "There is no such field." }))
  const wrong = Object.entries(fields).flatMap(([name, { test, wanted, optional }]) => {
    const member = Object.hasOwn(value, name) ? value[name] : undefined
    if ((member === undefined && optional) || test(member)) return []
    return [{ path: `${path}/${name}`, message: `It is ${wanted}.` }]
  })
  return [...unknown, ...wrong]
}

const ERRORS_MAX = 20

/** BODY_INVALID, with the first of these. */
export const bodyInvalid = (errors: readonly FieldError[]): Refusal => {
  const told = errors.slice(0, ERRORS_MAX)
  const words = told.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`))
  return new Refusal("BODY_INVALID", words.join(" "), { errors: told })
}

/** The list that is a body's one member, each checked by `wrongWith`. Throws BODY_INVALID. */
export const listIn = (
  body: unknown,
  name: string,
  max: number,
  wrongWith: (item: unknown, path: string) => FieldError[],
): unknown[] => {
  if (!isObject(body)) throw bodyInvalid([{ path: "", message: "It is an object." }])
  const { [name]: list, ...others } = body
  const unknown = Object.keys(others).map((other) => ({
    path: `/${other}`,
    message: "There is no such field.",
  }))
  if (!Array.isArray(list) || list.length === 0 || list.length > max)
    throw bodyInvalid([...unknown, { path: `/${name}`, message: `It is a list of 1 to ${max} ${name}.` }])
  const errors = [...unknown, ...list.flatMap((item, nth) => wrongWith(item, `/${name}/${nth}`))]
  if (errors.length > 0) throw bodyInvalid(errors)
  return list
}
