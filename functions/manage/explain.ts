import { z } from "@hono/zod-openapi"
import type { Change } from "../../core/change/change.ts"
import type { ConfigKey, Layer } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import { findChange } from "../../db/queries/changes.ts"
import { findVersion } from "../../db/queries/configs.ts"
import { json, type Route, route } from "../http/route.ts"
import { type Layered, type LayersEntries, mergedOf, readLayers } from "../platform/layers.ts"
import type { ManageDeps } from "./deps.ts"
import { type ConfigAddress, configNamed, configNotFound } from "./parse.ts"
import { ConfigPath } from "./shapes.ts"

const ruleOf = (entries: LayersEntries, layer: Layer, key: ConfigKey): string =>
  entries.get(layer)?.get(key)?.locked ? `locked by the ${layer}` : "the nearest layer that has the key"

const approversOf = (change: Change | null) =>
  (change?.approvals ?? []).map(({ actor, role, at, comment }) => ({
    subject: actor.subject,
    role,
    at,
    comment: comment ?? null,
  }))

/** Where a reader's value of a key comes from, and what lies under it; `null`: nowhere has it. */
export const originOf = async (
  { db }: Pick<ManageDeps, "db">,
  { scopes, environment }: Layered,
  entries: LayersEntries,
  key: ConfigKey,
): Promise<JsonObject | null> => {
  const winner = mergedOf(entries).get(key)
  const owner = winner && scopes[winner.layer]
  if (!winner || !owner) return null
  const version = await findVersion(db, owner, environment, key, winner.version)
  const change = version && (await findChange(db, owner, version.changeId))
  return {
    layer: winner.layer,
    scope: owner,
    rule: ruleOf(entries, winner.layer, key),
    version: winner.version,
    locked: winner.locked,
    changeId: version?.changeId ?? null,
    author: version?.author ?? null,
    at: version?.at ?? null,
    comment: version?.reason ?? null,
    approvers: approversOf(change),
    layers: [...entries].flatMap(([layer, of]) => {
      const entry = of.get(key)
      if (!entry) return []
      return {
        layer,
        scope: scopes[layer],
        version: entry.version,
        value: entry.value,
        locked: entry.locked ?? false,
      }
    }),
  }
}

const explain = async (
  deps: ManageDeps,
  address: ConfigAddress,
  unit: string | null,
): Promise<JsonObject> => {
  const { key, configId } = address
  const layered = await readLayers(deps, address, unit)
  const entries = await layered.entriesOf([key])
  const origin = await originOf(deps, layered, entries, key)
  if (!origin) throw configNotFound(configId)
  return { configId, key, value: mergedOf(entries).get(key)!.value, arm: layered.arm, ...origin }
}

/** Why a reader gets the value it gets. */
export const explainRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/configs/{configId}/explain",
    operationId: "explainConfig",
    tag: "Configs",
    summary: "Which layer, version, change and approvers gave a reader this value",
    action: "config.read",
    params: ConfigPath,
    query: z.strictObject({ targetingKey: z.string().max(500).optional() }),
    replies: { 200: { description: "The value, where it comes from, and what lies under it" } },
    where: ({ params }) => {
      const { scope, environment } = configNamed(params.configId, deps.settings.environments)
      return { scope, environment }
    },
    run: async ({ params, query }) => {
      const address = configNamed(params.configId, deps.settings.environments)
      return json(200, await explain(deps, address, query.targetingKey ?? null))
    },
  })
