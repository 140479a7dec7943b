import type { LayerPolicy } from "../../core/change/scope-state.ts"
import type { Environment } from "../../core/environment.ts"
import {
  type ChunkId,
  type ConfigKey,
  type Layer,
  layerOf,
  parseTier,
  type ReleaseId,
  type ScopeId,
  type TenantId,
} from "../../core/ids.ts"
import { viewsOf } from "../../core/release/arms.ts"
import { chunksFor, readEntry } from "../../core/release/compile.ts"
import type { Entry } from "../../core/release/release.ts"
import type { LayerEntries } from "../../core/release/view.ts"
import { keysOfRule } from "../../core/rule/evaluate.ts"
import type { ScopedRule } from "../../core/rule/rule.ts"
import { readPolicies } from "../../db/queries/policies.ts"
import { readChunks, readPointer } from "../../db/queries/reading.ts"
import type { TenantRow } from "../../db/queries/tenants.ts"
import { listTenants } from "../../db/system.ts"
import type { ManageDeps } from "./deps.ts"

type Deps = Pick<ManageDeps, "db" | "system">

const TENANTS_MAX = 1_000
const AT_A_TIME = 4
/** Text read to find out whose readers would see something else; beyond it, fewer tenants are looked at. */
const CHARACTERS_MAX = 64 * 1_024 * 1_024
/** The same for what tenants' rules cost, in operands looked at. */
const WORK_MAX = 10_000_000
const LAYERS = ["platform", "tier", "tenant"] as const satisfies readonly Layer[]

/** What is looked up of a tenant. */
export interface Question {
  environment: Environment
  keys: readonly ConfigKey[]
  /** Which rules are asked, of a tenant with these policies. */
  rulesOf(policies: readonly LayerPolicy[]): readonly ScopedRule[]
}

/** Releases of the platform and the tiers that were read for another tenant, and their chunks. */
interface Seen {
  releases: Set<ReleaseId>
  chunks: Map<ChunkId, string>
}

/** What each layer of a tenant holds in its stable release, and the rules that are asked of it. */
export interface Layers {
  layers: LayerEntries[]
  rules: readonly ScopedRule[]
  characters: number
}

/** Of the keys asked for, and of those that the rules name beside them. `null`: the tenant is gone. */
export const layersOf = async (
  { db }: Pick<Deps, "db">,
  tenantId: TenantId,
  { environment, keys: asked, rulesOf }: Question,
  seen: Seen = { releases: new Set(), chunks: new Map() },
): Promise<Layers | null> => {
  const [read, policies] = await Promise.all([
    readPointer(db, tenantId, environment, seen.releases),
    readPolicies(db, tenantId, environment),
  ])
  if (!read) return null
  const rules = rulesOf(policies)
  const keys = [...new Set([...asked, ...rules.flatMap(({ rule }) => keysOfRule(rule))])]
  const { stable } = viewsOf(read.layers, tenantId, read.tenant.tier)
  const manifests = LAYERS.map((layer) => read.manifests.get(stable[layer])!)
  const needed = new Set(manifests.flatMap((manifest) => [...chunksFor(manifest, keys)]))
  const missing = [...needed].filter((id) => !read.chunks.has(id) && !seen.chunks.has(id))
  const fetched = missing.length > 0 ? await readChunks(db, tenantId, missing) : new Map<ChunkId, string>()
  const fresh = new Map([...read.chunks, ...fetched])
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
  return { layers, rules, characters: [...fresh.values()].reduce((sum, text) => sum + text.length, 0) }
}

/**
 * Those who inherit from the platform or a tier, looked at a few at a time; `look` says what it took. As many as can be looked
 * at in one request.
 */
export const lookAtHeirs = async (
  deps: Deps,
  scope: ScopeId,
  question: Question,
  look: (tenant: TenantRow, layers: Layers) => number,
): Promise<{ tenants: TenantRow[]; truncated: boolean }> => {
  const tier = layerOf(scope) === "tier" ? parseTier(scope.slice("~tier.".length)) : null
  const found = await listTenants(deps.system, { limit: TENANTS_MAX + 1, ...(tier ? { tier } : {}) })
  const tenants = found.slice(0, TENANTS_MAX)
  const seen: Seen = { releases: new Set(), chunks: new Map() }
  let characters = 0
  let work = 0
  let lookedAt = 0
  for (; lookedAt < tenants.length && characters < CHARACTERS_MAX && work < WORK_MAX; lookedAt += AT_A_TIME)
    await Promise.all(
      tenants.slice(lookedAt, lookedAt + AT_A_TIME).map(async (tenant) => {
        const layers = await layersOf(deps, tenant.tenantId, question, seen)
        if (!layers) return
        characters += layers.characters
        work += look(tenant, layers)
      }),
    )
  return { tenants: tenants.slice(0, lookedAt), truncated: found.length > lookedAt }
}
