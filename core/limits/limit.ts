import { type FieldError, Refusal } from "../errors.ts"
import type { Json } from "../json.ts"

/** So many within a time that slides. `max` −1: as many as anybody likes. */
export interface Limit {
  max: number
  windowMs: number
}

/** `max` of a limit that is none. */
export const UNLIMITED = -1
/** The most that a window counts, and that is taken at once. */
export const LIMIT_MAX = 1_000_000
/** From a second to 31 days. */
const WINDOW_BOUNDS_MS = { min: 1_000, max: 31 * 86_400_000 } as const

const PREFIX = "limit."
const ACTION = /^[a-z][a-z0-9_.-]{0,63}$/

export const isUnlimited = ({ max }: Limit): boolean => max === UNLIMITED

/** Is it a name that a limited action may have? */
export const isAction = (text: string): boolean => ACTION.test(text)

/** Is it the key of a limit, whether or not an action may be called so? */
export const isLimitKey = (key: string): boolean => key.startsWith(PREFIX)

/** The action whose limit the config of this key is; `null`: it is no limit's. */
export const actionOf = (key: string): string | null => {
  const action = key.slice(PREFIX.length)
  return isLimitKey(key) && isAction(action) ? action : null
}

const within = (value: Json | undefined, min: number, max: number): value is number =>
  Number.isInteger(value) && (value as number) >= min && (value as number) <= max

const MEMBERS = ["max", "windowMs"]

/** What is wrong with the config of a limit: nothing, or every fault there is. */
const faultsOf = (key: string, value: Json): FieldError[] => {
  if (actionOf(key) === null)
    return [{ path: key, message: "An action is 1 to 64 of a-z 0-9 _ . -, and begins with a letter." }]
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return [{ path: key, message: 'It is an object like {"max": 10, "windowMs": 60000}.' }]
  const { min, max } = WINDOW_BOUNDS_MS
  return [
    ...Object.keys(value)
      .filter((name) => !MEMBERS.includes(name))
      .map((name) => ({ path: `${key}/${name}`, message: "A limit has max and windowMs." })),
    ...(within(value.max, UNLIMITED, LIMIT_MAX)
      ? []
      : [
          { path: `${key}/max`, message: `It is a whole number from 0 to ${LIMIT_MAX}, or -1 for no limit.` },
        ]),
    ...(within(value.windowMs, min, max)
      ? []
      : [{ path: `${key}/windowMs`, message: `It is a whole number from ${min} to ${max}.` }]),
  ]
}

/** Holds the value of a limit's config to what a limit is. Throws Refusal LIMIT_INVALID. */
export const checkLimit = (key: string, value: Json): void => {
  const errors = faultsOf(key, value)
  if (errors.length > 0) throw new Refusal("LIMIT_INVALID", `Not a limit: ${key}.`, { errors })
}

/**
 * The limit that a tenant's record says of an action: how many in the time they are counted in otherwise, or both. `null`: it
 * says none, as a quota of what is not counted here.
 */
export const quotaOf = (action: string, quota: Json, otherwise: Limit | null): Limit | null => {
  if (typeof quota !== "number") return limitOf(PREFIX + action, quota)
  return otherwise && limitOf(PREFIX + action, { max: quota, windowMs: otherwise.windowMs })
}

/** The limit that a config says; `null`: it says none. What was written has been checked, but reading never fails. */
export const limitOf = (key: string, value: Json): Limit | null =>
  faultsOf(key, value).length === 0 ? (value as unknown as Limit) : null

/** Holds a tenant's record of quotas of these actions to what one is. Throws Refusal LIMIT_INVALID. */
export const checkQuotas = (
  quotas: Readonly<Record<string, Json>>,
  actions: ReadonlyMap<string, Limit>,
): void => {
  const wrong = Object.keys(quotas).filter((name) => {
    const otherwise = actions.get(name)
    return otherwise && quotaOf(name, quotas[name]!, otherwise) === null
  })
  const message = `It is a whole number from 0 to ${LIMIT_MAX}, -1 for no limit, or like {"max": 10, "windowMs": 60000}.`
  const errors = wrong.map((name): FieldError => ({ path: `/quotas/${name}`, message }))
  if (errors.length > 0) throw new Refusal("LIMIT_INVALID", `Not a quota: ${wrong.join(", ")}.`, { errors })
}
