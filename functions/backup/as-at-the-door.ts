import type { EditInput } from "../../core/change/command.ts"
import type { Environment } from "../../core/environment.ts"
import { type ProblemCode, Refusal } from "../../core/errors.ts"
import { canonical, type Json, parseJson } from "../../core/json.ts"
import { Secret } from "../../core/secret/secret.ts"

/** As long as requests may have them. */
const TEXTS_MAX = { description: 2_000, owner: 200 } as const

const refused = (environment: Environment, key: string, code: ProblemCode, what: string): Refusal =>
  new Refusal(code, `${environment}: ${key} ${what}.`, { errors: [{ path: key, message: what }] })

/**
 * Holds edits that came out of an archive to what a request is held to before it becomes edits: depth, members, numbers, text.
 * What no config could be never was one. Throws Refusal.
 */
export const checkAsAtTheDoor = (environment: Environment, edits: readonly EditInput[]): void => {
  for (const edit of edits) {
    const { key, value, schema } = edit
    checkJson(environment, key, value)
    checkJson(environment, key, schema)
    for (const name of ["description", "owner"] as const) {
      const text = edit[name] ?? ""
      if (typeof text !== "string" || text.length > TEXTS_MAX[name])
        throw refused(environment, key, "BODY_INVALID", `has a longer ${name} than a config may have`)
      checkJson(environment, key, text)
    }
  }
}

const checkJson = (environment: Environment, key: string, value: Json | Secret | undefined): void => {
  if (value === undefined) return
  try {
    parseJson(canonical(value instanceof Secret ? value.reveal() : value))
  } catch (error) {
    // Where it is wrong would tell what a secret is.
    const words =
      value instanceof Secret ? "is a secret that no config could be" : "is what no config could be"
    const code = error instanceof Refusal ? error.code : "JSON_LONE_SURROGATE"
    throw refused(environment, key, code, words)
  }
}
