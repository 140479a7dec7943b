import type { Change } from "../../core/change/change.ts"
import { entryEditsOf, keysOf } from "../../core/change/edits.ts"
import { workSpent } from "../../core/flag/run.ts"
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
import { type LayerEntries, type Merged, mergeLayers } from "../../core/release/view.ts"
import { brokenAmong, keysOfRule } from "../../core/rule/evaluate.ts"
import type { BrokenRule, ScopedRule } from "../../core/rule/rule.ts"
import { readPolicies } from "../../db/queries/policies.ts"
import { readChunks, readPointer } from "../../db/queries/reading.ts"
import type { TenantRow } from "../../db/queries/tenants.ts"
import { listTenants } from "../../db/system.ts"
import { rulesOf } from "../platform/broken-rules.ts"
import type { ManageDeps } from "./deps.ts"

type Deps = Pick<ManageDeps, "db" | "system">

const TENANTS_MAX = 1_000
const TOLD_MAX = 20
const AT_A_TIME = 4
/** Text read to find out whose readers would see something else; beyond it, fewer tenants are looked at. */
const CHARACTERS_MAX = 64 * 1_024 * 1_024
/** The same for what tenants' rules cost, in operands looked at. */
const WORK_MAX = 10_000_000
const LAYERS = ["platform", "tier", "tenant"] as const satisfies readonly Layer[]

/** Releases of the platform and the tiers that were read for another tenant, and their chunks. */
interface Seen {
  releases: Set<ReleaseId>
  chunks: Map<ChunkId, string>
}
const nothingSeen = (): Seen => ({ releases: new Set(), chunks: new Map() })

interface Layers {
  layers: LayerEntries[]
  /** Those of the tenant's rules that the change may break. */
  rules: ScopedRule[]
  characters: number
}

/** What each layer of a tenant holds of the edited keys, and of those that rules name beside them, in its stable release. `null`: it is gone. */
const layersOf = async (
  { db }: Deps,
  tenantId: TenantId,
  { content }: Change,
  seen: Seen,
): Promise<Layers | null> => {
  const { environment } = content
  const [read, policies] = await Promise.all([
    readPointer(db, tenantId, environment, seen.releases),
    readPolicies(db, tenantId, environment),
  ])
  if (!read) return null
  const edited = new Set(keysOf(content.edits))
  const rules = rulesOf(policies).filter(({ rule }) => keysOfRule(rule).some((key) => edited.has(key)))
  const keys = [...new Set([...edited, ...rules.flatMap(({ rule }) => keysOfRule(rule))])]
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
  return { layers, rules, characters: [...fresh.values()].reduce((sum, text) => sum + text.length, 0) }
}

interface Effect {
  /** Would readers see anything else? Not of what a nearer or a locked layer hides. */
  alters: boolean
  /** The rules that hold now and would not then. */
  breaks: BrokenRule[]
  /** What it took to find out. */
  work: number
}

/** What the change's edits in its layer do to a tenant's readers. */
const effectOf = ({ layers, rules }: Layers, { content }: Change): Effect => {
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
  const alters = content.edits.some(({ key }) => {
    const [old, new_] = [before.get(key), after.get(key)]
    return (old && canonical(old.value)) !== (new_ && canonical(new_.value))
  })
  let work = 0
  const brokenIn = (merged: Merged): BrokenRule[] => {
    if (rules.length === 0) return []
    const broken = brokenAmong(rules, (key) => merged.get(key)?.value)
    work += workSpent()
    return broken
  }
  const known = new Set(brokenIn(before).map(({ rule }) => rule))
  return { alters, breaks: brokenIn(after).filter(({ rule }) => !known.has(rule)), work }
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
  const altersAny = read !== null && effectOf(read, change).alters
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
  const breaking = new Map<TenantId, BrokenRule[]>()
  const seen = nothingSeen()
  let characters = 0
  let work = 0
  let lookedAt = 0
  for (; lookedAt < tenants.length && characters < CHARACTERS_MAX && work < WORK_MAX; lookedAt += AT_A_TIME)
    await Promise.all(
      tenants.slice(lookedAt, lookedAt + AT_A_TIME).map(async ({ tenantId }) => {
        const read = await layersOf(deps, tenantId, change, seen)
        characters += read?.characters ?? 0
        if (!read) return
        const { alters, breaks, work: spent } = effectOf(read, change)
        work += spent
        if (alters) altered.add(tenantId)
        if (breaks.length > 0) breaking.set(tenantId, breaks)
      }),
    )
  return { altered, breaking, lookedAt: Math.min(lookedAt, tenants.length) }
}

const tenantsOf = async (deps: Deps, change: Change): Promise<JsonObject> => {
  const { scope, changeId } = change.content
  const tier = layerOf(scope) === "tier" ? parseTier(scope.slice("~tier.".length)) : null
  const found = await listTenants(deps.system, { limit: TENANTS_MAX + 1, ...(tier ? { tier } : {}) })
  const { altered, breaking, lookedAt } = await alteredAmong(deps, change, found.slice(0, TENANTS_MAX))
  const tenants = found.slice(0, lookedAt)
  return {
    of: "tenants",
    lookedAt,
    truncated: found.length > lookedAt,
    alters: altered.size > 0,
    breaking: {
      tenants: breaking.size,
      examples: [...breaking].slice(0, TOLD_MAX).map(([tenantId, rules]) => ({
        tenantId,
        rules: rules.map(({ scope, rule: { id, description }, keys }) => ({
          scope: scope as string,
          id,
          description,
          keys: [...keys],
        })),
      })),
    },
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
