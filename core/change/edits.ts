import { checkStored, checkValue } from "../config/limits.ts"
import { checkSchema, validateValue } from "../config/schema.ts"
import type { Environment } from "../environment.ts"
import { type FieldError, Refusal } from "../errors.ts"
import type { ConfigKey } from "../ids.ts"
import { canonical, type Json } from "../json.ts"
import { checkEntitlements } from "../limits/entitlement.ts"
import type { Entry, EntryEdit } from "../release/release.ts"
import type { Parted, SecretToKeep } from "../secret/edits.ts"
import { isMarker, markedVersion } from "../secret/marker.ts"
import type { Change, Edit } from "./change.ts"
import type { EditInput } from "./command.ts"
import { checkFlags } from "./flag-edits.ts"

/** What stable has of a key, with what history knows of it besides. */
export interface Standing {
  entry: Entry | null
  description?: string | undefined
  owner?: string | undefined
}

/** What another environment has of a key, to be promoted as it is. */
export interface PromotedEntry extends Standing {
  key: ConfigKey
  entry: Entry
}

/**
 * Edits that make the keys what they are in the environment they come from. A description or owner that is not
 * told stays the target's.
 */
export const editsOfPromotion = (entries: readonly PromotedEntry[], environment: Environment): EditInput[] =>
  entries.map(({ key, entry, description, owner }) => ({
    key,
    ...valueFrom(entry, environment),
    schema: entry.schema ?? null,
    locked: entry.locked ?? false,
    description,
    owner,
  }))

/** A secret is sealed for its environment: it has to be opened there and sealed anew. */
const valueFrom = ({ value }: Entry, environment: Environment): Pick<EditInput, "value" | "copies"> => {
  const version = markedVersion(value)
  return version === null ? { value } : { copies: { environment, version } }
}

const kept = <Value>(given: Value | null | undefined, standing: Value | undefined): Value | undefined =>
  given === undefined ? standing : (given ?? undefined)

/** The edit in full: what is left out of the input stays as it stands. Throws Refusal `CONFIG_NOT_FOUND`. */
export const editOf = (input: Parted["input"], standing: Standing): Edit => {
  const { key, restores } = input
  const { entry } = standing
  if (entry === null && (input.delete || input.value === undefined))
    throw new Refusal(
      "CONFIG_NOT_FOUND",
      `There is no config "${key}" to ${input.delete ? "delete" : "edit"}.`,
    )
  const edit: Edit = { key }
  if (restores !== undefined) edit.restores = restores
  if (input.delete) return edit
  const schema = kept<Json>(input.schema, entry?.schema)
  const description = kept(input.description, standing.description)
  const owner = kept(input.owner, standing.owner)
  edit.value = input.value === undefined ? entry!.value : input.value
  if (schema !== undefined) edit.schema = schema
  if (description !== undefined) edit.description = description
  if (owner !== undefined) edit.owner = owner
  if (input.locked ?? entry?.locked) edit.locked = true
  return edit
}

const plain = (value: unknown): Json => value as Json

/** Would the key be anything else than it is? */
export const alters = ({ restores: _, ...edit }: Edit, { entry, description, owner }: Standing): boolean => {
  if (entry === null) return edit.value !== undefined
  const { value, schema, locked } = entry
  return (
    canonical(plain(edit)) !== canonical(plain({ key: edit.key, value, schema, locked, description, owner }))
  )
}

/**
 * Holds every value to its limits and its schema, every flag to what a flag is, and every schema to the rules for schemas.
 * Throws Refusal `VALUE_TOO_LARGE`, `FLAG_INVALID`, `LIMIT_INVALID`, `FEATURE_INVALID`, `SCHEMA_INVALID`, or `SCHEMA_VIOLATION` with every violation of every key.
 */
export const checkEdits = (edits: readonly Edit[], secrets: readonly SecretToKeep[] = []): void => {
  checkFlags(edits)
  checkEntitlements(edits)
  checkStored(edits.flatMap(({ value, schema }) => [value, schema].filter((part) => part !== undefined)))
  const errors: FieldError[] = []
  for (const { key, value, schema } of edits) {
    if (value === undefined) continue
    checkValue(value)
    if (schema !== undefined) checkSchema(schema)
    if (isMarker(value)) errors.push(...checkSecret(key, schema, secrets))
    else if (schema !== undefined)
      errors.push(
        ...validateValue(schema, value).map(({ path, message }) => ({ path: `${key}${path}`, message })),
      )
  }
  if (errors.length === 0) return
  const keys = new Set(errors.map(({ path }) => path.split("/", 1)[0]))
  throw new Refusal("SCHEMA_VIOLATION", `Not as its schema asks: ${[...keys].join(", ")}.`, { errors })
}

/** One that is in plain text is judged here, and no word of what is wrong repeats a part of it. One that is sealed was. */
const checkSecret = (
  key: ConfigKey,
  schema: Json | undefined,
  secrets: readonly SecretToKeep[],
): FieldError[] => {
  const from = secrets.find((secret) => secret.key === key)?.from
  if (from?.kind !== "plain") return []
  const value = from.value.reveal()
  checkValue(value)
  const isFit = schema === undefined || validateValue(schema, value).length === 0
  return isFit ? [] : [{ path: key, message: "the secret is not as its schema asks" }]
}

/** What a release will hold of the edited keys under these version numbers. */
export const entryEditsOf = (
  edits: readonly Edit[],
  versions: NonNullable<Change["versions"]>,
): readonly EntryEdit[] =>
  edits.map(({ key, value, schema, locked }) => {
    if (value === undefined) return { key, entry: null }
    const entry: Entry = { value, version: versions[key]! }
    if (locked) entry.locked = true
    if (schema !== undefined) entry.schema = schema
    return { key, entry }
  })

export const keysOf = (edits: readonly { key: ConfigKey }[]): ConfigKey[] => edits.map(({ key }) => key)
