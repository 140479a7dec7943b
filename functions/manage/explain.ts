import { z } from "@hono/zod-openapi"
import type { Change } from "../../core/change/change.ts"
import { type ConfigKey, isTenant, type Layer, PLATFORM, type ScopeId, tierScope } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import { type Arm, armOf, type LayerReleases, type TenantViews, viewsOf } from "../../core/release/arms.ts"
import { chunkIndex } from "../../core/release/bucket.ts"
import { readEntry } from "../../core/release/compile.ts"
import type { Entry } from "../../core/release/release.ts"
import { mergeLayers } from "../../core/release/view.ts"
import { findChange } from "../../db/queries/changes.ts"
import { findVersion } from "../../db/queries/configs.ts"
import { readChunks, readPointer } from "../../db/queries/reading.ts"
import { json, type Route, route, tenantNotFound } from "../http/route.ts"
import type { ManageDeps } from "./deps.ts"
import { type ConfigAddress, configNamed, configNotFound } from "./parse.ts"
import { ConfigPath } from "./shapes.ts"

const LAYERS = ["platform", "tier", "tenant"] as const satisfies readonly Layer[]

type Read = NonNullable<Awaited<ReturnType<typeof readPointer>>>

/** The scopes a reader of `scope` reads through. */
const scopesOf = (scope: ScopeId, { tenant }: Read): Record<Layer, ScopeId | null> => ({
  platform: PLATFORM,
  tier: isTenant(scope) ? tenant.tier && tierScope(tenant.tier) : scope === PLATFORM ? null : scope,
  tenant: isTenant(scope) ? scope : null,
})

/** The platform and the tiers explain what is stable: who gets their candidate is a question about a tenant. */
const armsOf = (scope: ScopeId, { layers, tenant }: Read): TenantViews => {
  if (isTenant(scope)) return viewsOf(layers, scope, tenant.tier)
  const { platform, tier, tenant: own } = layers
  return { stable: { platform: platform.stable, tier: tier.stable, tenant: own.stable }, candidate: null }
}

/** What each layer's release has of the key. */
const entriesOf = async (
  { db }: ManageDeps,
  { scope, key }: ConfigAddress,
  read: Read,
  releases: LayerReleases,
): Promise<Map<Layer, Entry>> => {
  const manifests = LAYERS.map((layer) => read.manifests.get(releases[layer]))
  const ids = manifests.flatMap((manifest) => manifest?.chunks[chunkIndex(key, manifest.bits)] ?? [])
  const missing = ids.filter((id) => !read.chunks.has(id))
  const fetched = missing.length > 0 ? await readChunks(db, scope, missing) : new Map()
  const chunks = new Map([...read.chunks, ...fetched])
  const found = LAYERS.map((layer, index) => {
    const manifest = manifests[index]
    return [layer, manifest ? readEntry(manifest, chunks, key) : null] as const
  })
  return new Map(found.filter((pair): pair is readonly [Layer, Entry] => pair[1] !== null))
}

const winnerOf = (entries: ReadonlyMap<Layer, Entry>, key: ConfigKey) =>
  mergeLayers([...entries].map(([layer, entry]) => ({ layer, entries: new Map([[key, entry]]) }))).get(key)

const ruleOf = (entries: ReadonlyMap<Layer, Entry>, layer: Layer): string =>
  entries.get(layer)?.locked ? `locked by the ${layer}` : "the nearest layer that has the key"

const approversOf = (change: Change | null) =>
  (change?.approvals ?? []).map(({ actor, role, at, comment }) => ({
    subject: actor.subject,
    role,
    at,
    comment: comment ?? null,
  }))

const explain = async (
  deps: ManageDeps,
  address: ConfigAddress,
  unit: string | null,
): Promise<JsonObject> => {
  const { scope, environment, key, configId } = address
  const read = await readPointer(deps.db, scope, environment, [])
  if (!read) throw tenantNotFound(scope)
  const { stable, candidate } = armsOf(scope, read)
  const arm: Arm = armOf(candidate, unit)
  const entries = await entriesOf(deps, address, read, arm === "candidate" ? candidate!.releases : stable)
  const winner = winnerOf(entries, key)
  const scopes = scopesOf(scope, read)
  const owner = winner && scopes[winner.layer]
  if (!winner || !owner) throw configNotFound(configId)
  const version = await findVersion(deps.db, owner, environment, key, winner.version)
  const change = version && (await findChange(deps.db, owner, version.changeId))
  return {
    configId,
    key,
    value: winner.value,
    layer: winner.layer,
    scope: owner,
    rule: ruleOf(entries, winner.layer),
    arm,
    version: winner.version,
    locked: winner.locked,
    changeId: version?.changeId ?? null,
    author: version?.author ?? null,
    at: version?.at ?? null,
    comment: version?.reason ?? null,
    approvers: approversOf(change),
    layers: [...entries].map(([layer, entry]) => ({
      layer,
      scope: scopes[layer],
      version: entry.version,
      value: entry.value,
      locked: entry.locked ?? false,
    })),
  }
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
