import type { Change } from "../../core/change/change.ts"
import { entryEditsOf, keysOf } from "../../core/change/edits.ts"
import {
  type ChunkId,
  type ConfigKey,
  isTenant,
  type Layer,
  layerOf,
  parseTier,
  type ReleaseId,
  type TenantId,
} from "../../core/ids.ts"
import { canonical, type JsonObject } from "../../core/json.ts"
import { isReached, viewsOf } from "../../core/release/arms.ts"
import { FULL_BP, getsCandidate } from "../../core/release/bucket.ts"
import { chunksFor, readEntry } from "../../core/release/compile.ts"
import type { Entry } from "../../core/release/release.ts"
import { type LayerEntries, mergeLayers } from "../../core/release/view.ts"
import { readChunks, readPointer } from "../../db/queries/reading.ts"
import type { TenantRow } from "../../db/queries/tenants.ts"
import { listTenants } from "../../db/system.ts"
import type { ManageDeps } from "./deps.ts"

type Deps = Pick<ManageDeps, "db" | "system">

const TENANTS_MAX = 1_000
const TOLD_MAX = 20
const AT_A_TIME = 4
/** Text read to find out whose readers would see something else; beyond it, fewer tenants are looked at. */
const CHARACTERS_MAX = 64 * 1_024 * 1_024
const LAYERS = ["platform", "tier", "tenant"] as const satisfies readonly Layer[]

/** Releases of the platform and the tiers that were read for another tenant, and their chunks. */
interface Seen {
  releases: Set<ReleaseId>
  chunks: Map<ChunkId, string>
}
const nothingSeen = (): Seen => ({ releases: new Set(), chunks: new Map() })

/** What each layer of a tenant holds of these keys in its stable release. `null`: it is gone. */
const layersOf = async (
  { db }: Deps,
  tenantId: TenantId,
  { content }: Change,
  seen: Seen,
): Promise<{ layers: LayerEntries[]; characters: number } | null> => {
  const keys = keysOf(content.edits)
  const read = await readPointer(db, tenantId, content.environment, seen.releases)
  if (!read) return null
  const { stable } = viewsOf(read.layers, tenantId, read.tenant.tier)
  const manifests = LAYERS.map((layer) => read.manifests.get(stable[layer])!)
  const needed = new Set(manifests.flatMap((manifest) => [...chunksFor(manifest, keys)]))
  const missing = [...needed].filter((id) => !read.chunks.has(id) && !seen.chunks.has(id))
  const asked = missing.length > 0 ? await readChunks(db, tenantId, missing) : new Map<ChunkId, string>()
  const fresh = new Map([...read.chunks, ...asked])
  const chunks = new Map([...seen.chunks, ...fresh])
  for (const layer of ["platform", "tier"] as const) {
    seen.releases.add(stable[layer])
    for (const id of read.manifests.get(stable[layer])!.chunks)
      if (chunks.has(id)) seen.chunks.set(id, chunks.get(id)!)
  }
  const layers = LAYERS.map((layer, index) => {
    const entries = keys.flatMap((key): [ConfigKey, Entry][] => {
      const entry = readEntry(manifests[index]!, chunks, key)
      return entry ? [[key, entry]] : []
    })
    return { layer, entries: new Map(entries) }
  })
  return { layers, characters: [...fresh.values()].reduce((sum, text) => sum + text.length, 0) }
}

/** Would readers see anything else with the change's edits in its layer? Not of what a nearer or a locked layer hides. */
const alters = (layers: readonly LayerEntries[], { content }: Change): boolean => {
  const own = layerOf(content.scope)
  const versions = Object.fromEntries(content.edits.map(({ key }) => [key, 0]))
  const edited = layers.map(({ layer, entries }) => {
    if (layer !== own) return { layer, entries }
    const next = new Map(entries)
    for (const { key, entry } of entryEditsOf(content.edits, versions))
      if (entry === null) next.delete(key)
      else next.set(key, entry)
    return { layer, entries: next }
  })
  const [before, after] = [mergeLayers(layers), mergeLayers(edited)]
  return content.edits.some(({ key }) => {
    const [old, new_] = [before.get(key), after.get(key)]
    return (old && canonical(old.value)) !== (new_ && canonical(new_.value))
  })
}

interface Reach {
  step: number | null
  weightBp: number
  tiers: readonly string[]
  tenants: readonly string[]
}

/** Each step, and in the end everyone. */
const reachesOf = ({ content }: Change): Reach[] => [
  ...content.plan.map(({ weightBp, tiers = [], tenants = [] }, step) => ({ step, weightBp, tiers, tenants })),
  { step: null, weightBp: FULL_BP, tiers: [], tenants: [] },
]

/** A share is drawn by the change's id, which a preview has not got yet: as many, but others. */
const isExact = ({ weightBp }: Reach): boolean => weightBp === 0 || weightBp === FULL_BP

const subjectsOf = async (
  deps: Deps,
  change: Change,
  tenantId: TenantId,
  subjects: readonly string[],
): Promise<JsonObject> => {
  const read = await layersOf(deps, tenantId, change, nothingSeen())
  const altersAny = read !== null && alters(read.layers, change)
  const { changeId } = change.content
  return {
    of: "subjects",
    lookedAt: subjects.length,
    truncated: false,
    alters: altersAny,
    steps: reachesOf(change).map((reach) => {
      const seeing = altersAny
        ? subjects.filter((subject) => getsCandidate(changeId, subject, reach.weightBp))
        : []
      return {
        step: reach.step,
        weightBp: reach.weightBp,
        reached: subjects.filter((subject) => getsCandidate(changeId, subject, reach.weightBp)).length,
        seeing: seeing.length,
        examples: seeing.slice(0, TOLD_MAX),
        exact: isExact(reach),
      }
    }),
  }
}

/** Those who inherit from the scope and would see something else, looked at a few at a time. */
const alteredAmong = async (deps: Deps, change: Change, tenants: readonly TenantRow[]) => {
  const altered = new Set<TenantId>()
  const seen = nothingSeen()
  let characters = 0
  let lookedAt = 0
  for (; lookedAt < tenants.length && characters < CHARACTERS_MAX; lookedAt += AT_A_TIME)
    await Promise.all(
      tenants.slice(lookedAt, lookedAt + AT_A_TIME).map(async ({ tenantId }) => {
        const read = await layersOf(deps, tenantId, change, seen)
        characters += read?.characters ?? 0
        if (read && alters(read.layers, change)) altered.add(tenantId)
      }),
    )
  return { altered, lookedAt: Math.min(lookedAt, tenants.length) }
}

const tenantsOf = async (deps: Deps, change: Change): Promise<JsonObject> => {
  const { scope, changeId } = change.content
  const tier = layerOf(scope) === "tier" ? parseTier(scope.slice("~tier.".length)) : null
  const found = await listTenants(deps.system, { limit: TENANTS_MAX + 1, ...(tier ? { tier } : {}) })
  const { altered, lookedAt } = await alteredAmong(deps, change, found.slice(0, TENANTS_MAX))
  const tenants = found.slice(0, lookedAt)
  return {
    of: "tenants",
    lookedAt,
    truncated: found.length > lookedAt,
    alters: altered.size > 0,
    steps: reachesOf(change).map((reach) => {
      const { step, weightBp, tiers, tenants: named } = reach
      const audience = { tiers, tenants: named, excluded: [] } as never
      const reached = tenants.filter((tenant) =>
        isReached({ changeId, weightBp, audience }, tenant.tenantId, tenant.tier),
      )
      const seeing = reached.filter(({ tenantId }) => altered.has(tenantId))
      return {
        step,
        weightBp,
        reached: reached.length,
        seeing: seeing.length,
        examples: seeing.slice(0, TOLD_MAX).map(({ tenantId }) => tenantId),
        exact: isExact(reach),
      }
    }),
  }
}

/** Who would see something else at each step of a change that is not submitted yet. */
export const audienceOf = async (
  deps: Deps,
  change: Change,
  subjects: readonly string[],
): Promise<JsonObject> => {
  const { scope } = change.content
  return isTenant(scope) ? await subjectsOf(deps, change, scope, subjects) : await tenantsOf(deps, change)
}
