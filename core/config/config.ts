import type { Environment } from "../environment.ts"
import { type ConfigId, type ConfigKey, configIdOf, type ScopeId } from "../ids.ts"
import type { Json } from "../json.ts"
import type { Entry } from "../release/release.ts"
import { isMarker } from "../secret/marker.ts"

/** What kind of value a config has, in JSON's own words; of a secret it is not told. */
export type ValueType = "boolean" | "string" | "number" | "object" | "array" | "null" | "secret"

export const typeOf = (value: Json): ValueType => {
  if (value === null) return "null"
  if (isMarker(value)) return "secret"
  if (Array.isArray(value)) return "array"
  return typeof value as ValueType
}

/** A config as it is shown over HTTP: what is stable, in one scope and environment. */
export interface ConfigDocument {
  configId: ConfigId
  tenantId: ScopeId
  environment: Environment
  key: ConfigKey
  value: Json
  type: ValueType
  version: number
  locked: boolean
  /** Its value is a marker; what it stands for is at a route of its own. */
  secret: boolean
  /** `null` where there is none, as for the two below. */
  schema: Json
  description: string | null
  owner: string | null
}

/** `about` is what history keeps of the config besides the entry that readers need. */
export const configDocument = (
  where: { scope: ScopeId; environment: Environment; key: ConfigKey },
  entry: Entry,
  about: { description?: string | undefined; owner?: string | undefined } = {},
): ConfigDocument => ({
  configId: configIdOf(where.scope, where.environment, where.key),
  tenantId: where.scope,
  environment: where.environment,
  key: where.key,
  value: entry.value,
  type: typeOf(entry.value),
  version: entry.version,
  locked: entry.locked === true,
  secret: isMarker(entry.value),
  schema: entry.schema ?? null,
  description: about.description ?? null,
  owner: about.owner ?? null,
})
