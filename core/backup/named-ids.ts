import type { Json, JsonObject } from "../json.ts"

/**
 * Where a row names a change of its own tenant, and where a token: by column, then by member, `*` for each of a list. All
 * ids say whose they are, so in a tenant made over under another id these, and the column `tenant_id`, say another.
 */
export const CHANGE_IDS: Readonly<Record<string, readonly string[]>> = {
  changes: [
    "change_id",
    "content.changeId",
    "content.replaces",
    "status.previousChangeId",
    "status.movedBy",
    "status.waitingFor",
  ],
  config_versions: ["change_id"],
  pointers: ["stable_change_id", "candidate_change_id", "change_id"],
}
export const TOKEN_IDS: Readonly<Record<string, readonly string[]>> = {
  changes: ["content.author.tokenId", "approvals.*.actor.tokenId", "status.brokenGlassBy.tokenId"],
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The row with each text at one of the places as `to` makes it. */
export const replacedAt = (
  value: Json | undefined,
  path: readonly string[],
  to: (text: string) => string,
): Json | undefined => {
  const [name, ...rest] = path
  if (name === undefined) return typeof value === "string" ? to(value) : value
  if (name === "*") return Array.isArray(value) ? value.map((item) => replacedAt(item, rest, to)!) : value
  if (!isObject(value) || value[name] === undefined) return value
  return { ...value, [name]: replacedAt(value[name], rest, to)! }
}

const idsAt = (values: JsonObject, paths: readonly string[] = []): string[] => {
  const ids: string[] = []
  for (const path of paths)
    replacedAt(values, path.split("."), (text) => {
      ids.push(text)
      return text
    })
  return ids
}

/** The changes that a row of `changes` names. */
export const changeIdsIn = (values: JsonObject): string[] => idsAt(values, CHANGE_IDS.changes)
/** The tokens that a row of `changes` names. */
export const tokenIdsIn = (values: JsonObject): string[] => idsAt(values, TOKEN_IDS.changes)
