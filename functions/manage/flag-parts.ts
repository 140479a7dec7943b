import { z } from "@hono/zod-openapi"
import type { Principal } from "../../core/access.ts"
import { Refusal } from "../../core/errors.ts"
import { isShort } from "../../core/flag/flag-document.ts"
import { isFlag } from "../../core/flag/is-flag.ts"
import { type ConfigKey, configIdOf, type Layer, layerOf, type ScopeId } from "../../core/ids.ts"
import type { Json, JsonObject } from "../../core/json.ts"
import type { MergedEntry } from "../../core/release/view.ts"
import { findVersions } from "../../db/queries/versions.ts"
import { decodeCursor, encodeCursor } from "../http/cursor.ts"
import { misshapen } from "../http/validate.ts"
import { type Layered, mergedOf, readLayers } from "../platform/layers.ts"
import type { ManageDeps } from "./deps.ts"
import { environmentNamed, scopeNamed } from "./parse.ts"
import { AnyJson } from "./shapes.ts"
import type { Target } from "./show.ts"

export const FLAGS_PATH = "/api/v1/tenants/{tenantId}/flags"
export const FlagPath = z.object({ tenantId: z.string(), key: z.string() })
export const OfEnvironment = {
  environment: z
    .string()
    .optional()
    .openapi({ description: "May be left out with a token that is bound to one" }),
}

/** The members of a definition, in whichever form; what they may be is the format's to say. */
const Definition = {
  enabled: z.boolean().optional().openapi({ description: "The short form: on for all, or for a share" }),
  percentage: z.number().optional().openapi({ description: "Of entities, 0 to 100, to two decimals" }),
  state: z.string().optional().openapi({ description: "flagd's format: `ENABLED` or `DISABLED`" }),
  variants: z.record(z.string(), AnyJson).optional(),
  defaultVariant: z.string().nullable().optional(),
  targeting: AnyJson.optional(),
  $evaluators: z.record(z.string(), AnyJson).optional(),
  metadata: z.record(z.string(), AnyJson).optional(),
  prerequisites: z.array(z.object({ flag: z.string(), variants: z.array(z.string()) })).optional(),
}

export const FlagShown = z
  .object({
    key: z.string(),
    tenantId: z.string(),
    environment: z.string(),
    configId: z.string().openapi({ description: "The config it is, in the scope that has it" }),
    layer: z.enum(["platform", "tier", "tenant"]).openapi({ description: "The layer it is read from" }),
    scope: z.string(),
    version: z.int(),
    locked: z.boolean(),
    description: z.string().nullable(),
    owner: z.string().nullable(),
    updatedAt: z.string().nullable(),
    updatedBy: z.string().nullable(),
    changeId: z.string().nullable(),
    ...Definition,
  })
  .openapi("Flag")

/** What a flag is shown with besides its definition: a client may send it all back. */
export const SHOWN_BESIDE = [
  "key",
  "tenantId",
  "environment",
  "configId",
  "layer",
  "scope",
  "version",
  "updatedAt",
  "updatedBy",
  "changeId",
  "affected",
] as const

export const flagNotFound = (key: string, { scope, environment }: Target): Refusal =>
  new Refusal("FLAG_NOT_FOUND", `There is no flag "${key}" of ${scope} in ${environment}.`)

/** The scope × environment that a path and its query name, or the token. */
export const flagsAt =
  (deps: Pick<ManageDeps, "findExternal" | "settings">) =>
  async (
    { params, query }: { params: { tenantId: string }; query: { environment?: string | undefined } },
    principal: Principal,
  ) => {
    const scope = await scopeNamed(params.tenantId, principal, deps.findExternal)
    const named = query.environment
    const environment =
      named === undefined ? principal.environment : environmentNamed(named, deps.settings.environments)
    if (environment === null) throw misshapen("query", [{ path: "environment", message: "It is required." }])
    return { scope, environment }
  }

/** The definition as somebody would write it: of the short form, without what is added when it is kept. */
const written = (value: Json): JsonObject => {
  if (!isShort(value)) return value as JsonObject
  const { state: _state, variants: _variants, ...short } = value as JsonObject
  return short
}

interface About {
  description?: string | null | undefined
  owner?: string | null | undefined
  updatedAt?: string | null
  updatedBy?: string | null
  changeId?: string | null
}

/** A flag as it is shown over HTTP to whoever reads `target`. */
export const flagDocument = (
  { scope, environment }: Target,
  key: ConfigKey,
  { value, version, locked, layer }: MergedEntry,
  owner: ScopeId,
  about: About,
): JsonObject => ({
  key,
  tenantId: scope,
  environment,
  ...written(value),
  configId: configIdOf(owner, environment, key),
  layer,
  scope: owner,
  version,
  locked,
  description: about.description ?? null,
  owner: about.owner ?? null,
  updatedAt: about.updatedAt ?? null,
  updatedBy: about.updatedBy ?? null,
  changeId: about.changeId ?? null,
})

type Found = readonly (readonly [ConfigKey, MergedEntry])[]

/** Flags with what the history of their own scopes says of them. */
const documents = async (
  { db }: Pick<ManageDeps, "db">,
  target: Target,
  { scopes }: Layered,
  found: Found,
): Promise<JsonObject[]> => {
  const versionsIn = async (layer: Layer) => {
    const wanted = found.flatMap(([key, entry]) =>
      entry.layer === layer ? [{ key, version: entry.version }] : [],
    )
    const scope = scopes[layer]
    return wanted.length === 0 || !scope ? [] : await findVersions(db, scope, target.environment, wanted)
  }
  const layers = await Promise.all((["platform", "tier", "tenant"] as const).map(versionsIn))
  const versions = new Map(layers.flat().map((version) => [version.key, version]))
  return found.map(([key, entry]) => {
    const version = versions.get(key)
    return flagDocument(target, key, entry, scopes[entry.layer] ?? target.scope, {
      ...version?.edit,
      updatedAt: version?.at ?? null,
      updatedBy: version?.author ?? null,
      changeId: version?.changeId ?? null,
    })
  })
}

/** The flag that readers of the scope get. `isOwn`: it is the scope's own. Throws FLAG_NOT_FOUND. */
export const readFlag = async (
  deps: Pick<ManageDeps, "db">,
  target: Target,
  key: ConfigKey,
): Promise<{ shown: JsonObject; version: number; isOwn: boolean }> => {
  const layered = await readLayers(deps, target, null)
  const entry = mergedOf(await layered.entriesOf([key])).get(key)
  if (!entry || !isFlag(entry.value)) throw flagNotFound(key, target)
  const [shown] = await documents(deps, target, layered, [[key, entry]])
  return { shown: shown!, version: entry.version, isOwn: entry.layer === layerOf(target.scope) }
}

/** A page of the flags that readers of the scope get, by key. */
export const listFlags = async (
  deps: Pick<ManageDeps, "db">,
  target: Target,
  { limit, cursor }: { limit: number; cursor?: string | undefined },
) => {
  const after = cursor === undefined ? "" : String(decodeCursor("flags", cursor, 1)[0])
  const layered = await readLayers(deps, target, null)
  const merged = mergedOf(await layered.everything())
  const fitting = [...merged].filter(([key, { value }]) => key > after && isFlag(value))
  fitting.sort(([left], [right]) => (left < right ? -1 : 1))
  const found = fitting.slice(0, limit)
  const last = fitting.length > limit ? found.at(-1)?.[0] : undefined
  return {
    items: await documents(deps, target, layered, found),
    nextCursor: last === undefined ? null : encodeCursor("flags", [last]),
  }
}
