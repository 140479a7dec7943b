import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import {
  type ChunkId,
  type ConfigKey,
  isTenant,
  type Layer,
  PLATFORM,
  type ScopeId,
  tierScope,
} from "../../core/ids.ts"
import { type Arm, armOf, type LayerReleases, type TenantViews, viewsOf } from "../../core/release/arms.ts"
import { allEntries, chunksFor, readEntry } from "../../core/release/compile.ts"
import type { Entry } from "../../core/release/release.ts"
import { formatRevision } from "../../core/release/revision.ts"
import { type Merged, mergeLayers } from "../../core/release/view.ts"
import type { Runner } from "../../db/client.ts"
import { type PointerRead, readChunks, readPointer } from "../../db/queries/reading.ts"
import type { Target } from "./stable.ts"

const LAYERS = ["platform", "tier", "tenant"] as const satisfies readonly Layer[]

/** What each layer has of some keys, farthest first. */
export type LayersEntries = ReadonlyMap<Layer, ReadonlyMap<ConfigKey, Entry>>

/** A scope as somebody reads it: the layers it stands on, at one instant, on one arm. */
export interface Layered {
  environment: Environment
  arm: Arm
  revision: string
  scopes: Readonly<Record<Layer, ScopeId | null>>
  /** Fetches what it does not have yet. */
  entriesOf(keys: readonly ConfigKey[]): Promise<LayersEntries>
  everything(): Promise<LayersEntries>
}

/** The scopes a reader of `scope` reads through. */
const scopesOf = (scope: ScopeId, { tenant }: PointerRead): Record<Layer, ScopeId | null> => ({
  platform: PLATFORM,
  tier: isTenant(scope) ? tenant.tier && tierScope(tenant.tier) : scope === PLATFORM ? null : scope,
  tenant: isTenant(scope) ? scope : null,
})

/** The platform and the tiers are read as they are stable: who gets their candidate is a question about a tenant. */
const armsOf = (scope: ScopeId, { layers, tenant }: PointerRead): TenantViews => {
  if (isTenant(scope)) return viewsOf(layers, scope, tenant.tier)
  const { platform, tier: ofTier, tenant: own } = layers
  return { stable: { platform: platform.stable, tier: ofTier.stable, tenant: own.stable }, candidate: null }
}

const revisionOf = ({ epoch, layers }: PointerRead): string =>
  formatRevision({
    epoch,
    platform: layers.platform.seq,
    tier: layers.tier.seq,
    tenant: layers.tenant.seq,
  })

/** Throws TENANT_NOT_FOUND. */
const pointerOf = async (db: Runner, { scope, environment }: Target): Promise<PointerRead> => {
  const read = await readPointer(db, scope, environment, [])
  if (!read) throw new Refusal("TENANT_NOT_FOUND", `There is no tenant "${scope}".`)
  return read
}

/** What `unit` reads of the scope now; without one, what is stable. Throws TENANT_NOT_FOUND. */
export const readLayers = async (
  { db }: { db: Runner },
  target: Target,
  unit: string | null,
): Promise<Layered> => {
  const read = await pointerOf(db, target)
  const { stable, candidate } = armsOf(target.scope, read)
  const arm = armOf(candidate, unit)
  return layeredOf(db, target, read, arm, arm === "candidate" ? candidate!.releases : stable)
}

/** The same of every arm that there is, stable first. */
export const readArms = async ({ db }: { db: Runner }, target: Target): Promise<Layered[]> => {
  const read = await pointerOf(db, target)
  const { stable, candidate } = armsOf(target.scope, read)
  return [
    layeredOf(db, target, read, "stable", stable),
    ...(candidate ? [layeredOf(db, target, read, "candidate", candidate.releases)] : []),
  ]
}

const layeredOf = (
  db: Runner,
  { scope, environment }: Target,
  read: PointerRead,
  arm: Arm,
  releases: LayerReleases,
): Layered => {
  const manifests = LAYERS.flatMap((layer) => {
    const manifest = read.manifests.get(releases[layer])
    return manifest ? [{ layer, manifest }] : []
  })
  const chunks = new Map(read.chunks)
  const fetch = async (ids: Iterable<ChunkId>): Promise<void> => {
    const missing = [...new Set(ids)].filter((id) => !chunks.has(id))
    if (missing.length === 0) return
    for (const [id, text] of await readChunks(db, scope, missing)) chunks.set(id, text)
  }
  return {
    environment,
    arm,
    revision: revisionOf(read),
    scopes: scopesOf(scope, read),
    entriesOf: async (keys) => {
      await fetch(manifests.flatMap(({ manifest }) => [...chunksFor(manifest, keys)]))
      return new Map(
        manifests.map(({ layer, manifest }) => [
          layer,
          new Map(
            keys.flatMap((key) => {
              const entry = readEntry(manifest, chunks, key)
              return entry ? [[key, entry] as const] : []
            }),
          ),
        ]),
      )
    },
    everything: async () => {
      await fetch(manifests.flatMap(({ manifest }) => manifest.chunks))
      return new Map(manifests.map(({ layer, manifest }) => [layer, allEntries(manifest, chunks)]))
    },
  }
}

/** What a reader gets of them. */
export const mergedOf = (entries: LayersEntries): Merged =>
  mergeLayers([...entries].map(([layer, of]) => ({ layer, entries: of })))
