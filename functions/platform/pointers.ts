import type { Environment } from "../../core/environment.ts"
import type { ChunkId, ConfigKey, Layer, ReleaseId, ScopeId, TenantId, ViewId } from "../../core/ids.ts"
import { type LayerReleases, viewsOf } from "../../core/release/arms.ts"
import { allEntries, EMPTY_CHUNK } from "../../core/release/compile.ts"
import { flagsOfArms, type PointerDocument, SETTLE_MS } from "../../core/release/pointer-document.ts"
import type { ChunkTexts, Entry, Manifest } from "../../core/release/release.ts"
import { formatRevision } from "../../core/release/revision.ts"
import {
  type CompiledView,
  compileView,
  type LayerEntries,
  type Merged,
  mergeLayers,
  type View,
} from "../../core/release/view.ts"
import type { Clock } from "./clock.ts"
import { createLru } from "./lru.ts"
import type { LayersRead, PointerRead, PointerReading } from "./reading.ts"

/** A pointer document as PostgreSQL has it now, with those of its views that the caller did not have. */
export interface BuiltPointer {
  pointer: PointerDocument
  views: ReadonlyMap<ViewId, View>
}

/** Makes pointer documents and views out of releases; the read function and the publisher share it. */
export interface PointerBuilder {
  /** One round trip, and another for chunks that were not known. `null`: there is no such tenant. */
  build(
    tenantId: TenantId,
    environment: Environment,
    hasView: (viewId: ViewId) => boolean,
  ): Promise<BuiltPointer | null>
  /** What was merged for a view, for those who want to know where each value comes from. */
  merge(scope: ScopeId, read: LayersRead, releases: LayerReleases): Promise<Merged>
  /** The entries of one release. */
  entries(tenantId: TenantId, read: PointerRead, release: ReleaseId): Promise<ReadonlyMap<ConfigKey, Entry>>
}

const LAYERS: readonly Layer[] = ["platform", "tier", "tenant"]
const MEBIBYTE = 1_024 * 1_024
/** Chunks are needed again when a layer above or below moves; most are not, and cost one round trip then. */
const CHUNK_CHARACTERS_MAX = 8 * MEBIBYTE
/** The platform's and the tiers' entries are merged into every tenant's view: parse them once. */
const PARSED_BYTES_MAX = 8 * MEBIBYTE
const VIEW_IDS_MAX = 20_000
const SHARED_MAX = 8

/** Which view these releases make for this tenant × environment. */
const combination = (tenantId: TenantId, environment: Environment, releases: LayerReleases): string =>
  `${environment}/${tenantId}/${releases.platform}${releases.tier}${releases.tenant}`

/** A view by its name, and its flags by theirs. */
type Named = Pick<CompiledView, "id" | "flags">

/** The document that this reading amounts to. */
const documentOf = (
  address: { tenantId: TenantId; environment: Environment },
  read: PointerRead,
  views: { stable: Named; candidate: Named | null },
  readAtMs: number,
): PointerDocument => {
  const { platform, tier, tenant } = read.layers
  const rolling = [platform, tier, tenant].some(({ candidate }) => candidate !== null)
  const settled = read.movedAt === null || readAtMs - Date.parse(read.movedAt) >= SETTLE_MS
  const rollout = viewsOf(read.layers, address.tenantId, read.tenant.tier).candidate
  const candidate = rollout && views.candidate && { ...rollout, ...views.candidate }
  return {
    ...address,
    tier: read.tenant.tier,
    status: read.tenant.status,
    revision: formatRevision({
      epoch: read.epoch,
      platform: platform.seq,
      tier: tier.seq,
      tenant: tenant.seq,
    }),
    stable: views.stable.id,
    candidate: candidate && {
      view: candidate.id,
      changeId: candidate.changeId,
      step: candidate.step,
      weightBp: candidate.weightBp,
    },
    flags: flagsOfArms(views.stable.flags, candidate),
    moving: rolling || !settled,
    readAtMs,
    revoked: read.revoked,
  }
}

export const createPointerBuilder = (deps: { reading: PointerReading; clock: Clock }): PointerBuilder => {
  const { reading, clock } = deps
  const chunkTexts = createLru<ChunkId, string>(CHUNK_CHARACTERS_MAX, (text) => text.length)
  const parsed = createLru<ReleaseId, { entries: ReadonlyMap<ConfigKey, Entry>; bytes: number }>(
    PARSED_BYTES_MAX,
    ({ bytes }) => bytes,
  )
  const viewIds = createLru<string, Named>(VIEW_IDS_MAX)
  /** Releases of the platform and the tiers that were seen lately: most tenants share them. */
  const shared = createLru<Environment, readonly ReleaseId[]>(VIEW_IDS_MAX)
  /** The releases a tenant × environment was last seen to have, and the views they made. */
  const lastSeen = createLru<string, { releases: readonly ReleaseId[]; views: readonly ViewId[] }>(
    VIEW_IDS_MAX,
  )

  const manifestOf = (read: LayersRead, release: ReleaseId): Manifest => {
    const manifest = read.manifests.get(release)
    if (!manifest) throw new Error(`the manifest of release ${release} was not read`)
    return manifest
  }

  /** The chunks of those releases that are not parsed yet. */
  const load = async (
    scope: ScopeId,
    read: LayersRead,
    releases: readonly ReleaseId[],
  ): Promise<ChunkTexts> => {
    const texts = new Map<ChunkId, string>()
    const missing = new Set<ChunkId>()
    for (const release of releases) {
      if (parsed.get(release)) continue
      for (const id of manifestOf(read, release).chunks) {
        const text = read.chunks.get(id) ?? chunkTexts.get(id)
        if (text !== undefined) texts.set(id, text)
        else if (id !== EMPTY_CHUNK.id) missing.add(id)
      }
    }
    if (missing.size > 0)
      for (const [id, text] of await reading.readChunks(scope, [...missing])) texts.set(id, text)
    for (const [id, text] of texts) chunkTexts.set(id, text)
    return texts
  }

  const parse = (read: LayersRead, chunks: ChunkTexts, layer: Layer, release: ReleaseId): LayerEntries => {
    const known = parsed.get(release)
    if (known) return { layer, entries: known.entries }
    const manifest = manifestOf(read, release)
    const entries = allEntries(manifest, chunks)
    if (layer !== "tenant") parsed.set(release, { entries, bytes: manifest.bytes })
    return { layer, entries }
  }

  const remember = (environment: Environment, releases: readonly ReleaseId[]): void => {
    const seen = shared.get(environment) ?? []
    if (releases.every((release) => seen.includes(release))) return
    shared.set(environment, [...new Set([...releases, ...seen])].slice(0, SHARED_MAX))
  }

  const merge: PointerBuilder["merge"] = async (scope, read, releases) => {
    const chunks = await load(scope, read, Object.values(releases))
    return mergeLayers(LAYERS.map((layer) => parse(read, chunks, layer, releases[layer])))
  }

  return {
    merge,
    async entries(tenantId, read, release) {
      const chunks = await load(tenantId, read, [release])
      return parsed.get(release)?.entries ?? allEntries(manifestOf(read, release), chunks)
    },
    async build(tenantId, environment, hasView) {
      const address = `${environment}/${tenantId}`
      const last = lastSeen.get(address)
      const own = last?.views.every(hasView) ? last.releases : []
      const known = [...own, ...(shared.get(environment) ?? []).filter((id) => parsed.get(id))]
      // Taken before asking: what PostgreSQL says is at least this fresh, however long it takes to say it.
      const readAtMs = clock.nowMs()
      const read = await reading.readPointer(tenantId, environment, known)
      if (!read) return null
      const views = new Map<ViewId, View>()
      const viewOf = async (releases: LayerReleases): Promise<Named> => {
        const name = combination(tenantId, environment, releases)
        const known = viewIds.get(name)
        if (known !== undefined && hasView(known.id)) return known
        const { flags, ...view } = compileView(tenantId, environment, await merge(tenantId, read, releases))
        const made = { id: view.id, flags }
        viewIds.set(name, made)
        views.set(view.id, view)
        return made
      }
      const { stable, candidate } = viewsOf(read.layers, tenantId, read.tenant.tier)
      remember(environment, [stable.platform, stable.tier])
      const stableView = await viewOf(stable)
      const candidateView = candidate && (await viewOf(candidate.releases))
      lastSeen.set(address, {
        releases: [...new Set([...Object.values(stable), ...Object.values(candidate?.releases ?? {})])],
        views: candidateView ? [stableView.id, candidateView.id] : [stableView.id],
      })
      const document = documentOf(
        { tenantId, environment },
        read,
        { stable: stableView, candidate: candidateView },
        readAtMs,
      )
      return { pointer: document, views }
    },
  }
}
