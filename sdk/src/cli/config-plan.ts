import { canonical, type Json } from "../../../core/json.ts"
import type { ConfigFile, FileConfig } from "./config-file.ts"
import { Failure } from "./failure.ts"
import type { Answer } from "./service.ts"

/** One key of `POST /api/v1/changes`. */
export type Edit = { key: string } & Record<string, Json>

/** A config as `GET /api/v1/configs` tells of it. */
export interface Standing {
  key: string
  version: number
  value: Json
  secret: boolean
  locked: boolean
  schema: Json
  description: string | null
  owner: string | null
}

export const standingOf = (config: Answer): Standing => config as unknown as Standing

/** As a file has it: what it says nothing of is left out, and of a secret its value. */
export const asInFile = ({ value, secret, locked, schema, description, owner }: Standing): FileConfig => ({
  ...(secret ? { secret } : { value }),
  ...(schema === null ? {} : { schema }),
  ...(description === null ? {} : { description }),
  ...(owner === null ? {} : { owner }),
  ...(locked ? { locked } : {}),
})

const isSame = (one: Json | undefined, other: Json | undefined): boolean =>
  one !== undefined && other !== undefined && canonical(one) === canonical(other)

/** What a file that says all of a config wants to be otherwise. */
const asides = (wanted: FileConfig, standing: Standing): Record<string, Json> => {
  const { schema = null, description = null, owner = null, locked = false } = wanted
  const members: Record<string, Json> = { schema, description, owner, locked }
  return Object.fromEntries(
    Object.entries(members).filter(([name, value]) => !isSame(value, standing[name as keyof Standing])),
  )
}

const madeOf = (key: string, wanted: FileConfig): Edit => {
  if (wanted.value === undefined)
    throw new Failure(`"${key}" is a secret that is not there yet: the file has to say its value`)
  return { key, ...(wanted as Record<string, Json>), ifMatch: 0 }
}

const alteredOf = (wanted: FileConfig, standing: Standing, valuesOnly: boolean): Edit | null => {
  const { value, secret } = wanted
  // Nobody can tell whether a secret is the same: whoever writes it down wants it set.
  const isSet = value !== undefined && (standing.secret || secret === true || !isSame(value, standing.value))
  const members = {
    ...(isSet ? { value } : {}),
    ...(secret !== undefined && secret !== standing.secret ? { secret } : {}),
    ...(valuesOnly ? {} : asides(wanted, standing)),
  }
  return Object.keys(members).length === 0
    ? null
    : { key: standing.key, ...members, ifMatch: standing.version }
}

/**
 * What has to change for it to be as the file has it, each edit bound to the version it was found out of. `isPruned`: what the
 * file does not have goes. Throws Failure for a secret that nobody has said.
 */
export const editsOf = (file: ConfigFile, standings: readonly Standing[], isPruned: boolean): Edit[] => {
  const found = new Map(standings.map((standing) => [standing.key, standing]))
  const edits = [...file.configs].flatMap(([key, wanted]): Edit[] => {
    const standing = found.get(key)
    const edit = standing ? alteredOf(wanted, standing, file.valuesOnly) : madeOf(key, wanted)
    return edit ? [edit] : []
  })
  if (!isPruned) return edits
  const gone = standings.filter(({ key }) => !file.configs.has(key))
  return [...edits, ...gone.map(({ key, version }): Edit => ({ key, delete: true, ifMatch: version }))]
}

const shown = (value: Json | undefined, isSecret: boolean): string =>
  isSecret ? "(secret)" : JSON.stringify(value)

const lineOf = (edit: Edit, standing: Standing | undefined): string => {
  const { key, ifMatch: _, value, delete: isGone, secret, ...others } = edit
  const isSecret = (secret ?? standing?.secret) === true
  if (isGone) return `- ${key}  ${shown(standing?.value, isSecret)}`
  if (!standing) return `+ ${key}  ${shown(value, isSecret)}`
  const moved =
    value === undefined ? [] : [`${shown(standing.value, standing.secret)} → ${shown(value, isSecret)}`]
  const told = [...(secret === undefined ? [] : ["secret"]), ...Object.keys(others)]
  return `~ ${key}  ${[...moved, ...(told.length > 0 ? [`(${told.join(", ")})`] : [])].join(" ")}`
}

/** One line a key: `+` comes, `~` is altered, `-` goes. Values of secrets are nowhere in it. */
export const linesOf = (edits: readonly Edit[], standings: readonly Standing[]): string[] => {
  const found = new Map(standings.map((standing) => [standing.key, standing]))
  return edits.map((edit) => lineOf(edit, found.get(edit.key)))
}
