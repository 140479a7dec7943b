import type { Environment } from "../../core/environment.ts"
import type { ConfigKey, Layer, ReleaseId, TenantId } from "../../core/ids.ts"
import { featureOf } from "../../core/limits/entitlement.ts"
import type { Grants, Said } from "../../core/limits/in-force.ts"
import { isLimitKey } from "../../core/limits/limit.ts"
import { type LayerReleases, viewsOf } from "../../core/release/arms.ts"
import { membersOf } from "../../core/release/chunk.ts"
import { EMPTY_CHUNK, EMPTY_RELEASE } from "../../core/release/compile.ts"
import type { Entry } from "../../core/release/release.ts"
import { mergeLayers } from "../../core/release/view.ts"
import type { Database } from "../../db/client.ts"
import { type PointerRead, readChunks, readPointer } from "../../db/queries/reading.ts"
import { findTenant } from "../../db/queries/tenants.ts"
import { createLru } from "./lru.ts"

export interface GrantsRead extends Grants {
  status: "active" | "suspended"
}

/** What a tenant is granted in an environment, as PostgreSQL has it now. `null`: there is no such tenant. */
export interface GrantsReader {
  read(tenantId: TenantId, environment: Environment): Promise<GrantsRead | null>
}

/** A release's limits and features. */
type Granted = ReadonlyMap<ConfigKey, Entry>

const LAYERS = ["platform", "tier", "tenant"] as const satisfies readonly Layer[]
/** Releases never change: what one grants is worked out once. Counted in entries. */
const REMEMBERED_ENTRIES = 100_000
const REMEMBERED_TENANTS = 20_000

const isGranting = (key: string): boolean => isLimitKey(key) || featureOf(key) !== null

/** What can be neither a limit nor a switch is not kept: it only has to be there, as the nearest. */
const slimmed = ({ value, ...entry }: Entry, key: string): Entry => {
  const { schema: _, ...rest } = entry
  return { ...rest, value: isLimitKey(key) || typeof value === "boolean" ? value : null }
}

const grantedIn = (texts: Iterable<string>): Granted => {
  const granted = new Map<ConfigKey, Entry>()
  for (const text of texts)
    for (const [key, member] of membersOf(text))
      if (isGranting(key)) granted.set(key as ConfigKey, slimmed(JSON.parse(member) as Entry, key))
  return granted
}

export const createGrants = ({ db }: { db: Database }): GrantsReader => {
  const remembered = createLru<ReleaseId, Granted>(REMEMBERED_ENTRIES, ({ size }) => size + 1)
  const releasesOf = createLru<string, LayerReleases>(REMEMBERED_TENANTS)

  const load = async (tenantId: TenantId, read: PointerRead, id: ReleaseId): Promise<Granted> => {
    const known = remembered.get(id)
    if (known !== undefined) return known
    const manifest = id === EMPTY_RELEASE.id ? EMPTY_RELEASE.manifest : read.manifests.get(id)
    if (manifest === undefined) throw new Error(`the release ${id} came without its manifest`)
    const ids = manifest.chunks
    const missing = ids.filter((chunk) => chunk !== EMPTY_CHUNK.id && !read.chunks.has(chunk))
    const fetched = missing.length > 0 ? await readChunks(db, tenantId, missing) : new Map()
    const texts = ids.map((chunk) => {
      if (chunk === EMPTY_CHUNK.id) return EMPTY_CHUNK.text
      const text = read.chunks.get(chunk) ?? fetched.get(chunk)
      // Without it a limit would be forgotten, and that be remembered.
      if (text === undefined) throw new Error(`the chunk ${chunk} of the release ${id} is not there`)
      return text
    })
    const granted = grantedIn(texts)
    remembered.set(id, granted)
    return granted
  }

  const configsOf = async (tenantId: TenantId, read: PointerRead, releases: LayerReleases) => {
    const layers = await Promise.all(
      LAYERS.map(async (layer) => ({ layer, entries: await load(tenantId, read, releases[layer]) })),
    )
    return mergeLayers(layers) as ReadonlyMap<string, Said>
  }

  return {
    async read(tenantId, environment) {
      const place = `${tenantId}/${environment}`
      const last = releasesOf.get(place)
      const known = last ? LAYERS.map((layer) => last[layer]).filter((id) => remembered.get(id)) : []
      const [read, tenant] = await Promise.all([
        readPointer(db, tenantId, environment, known),
        findTenant(db, tenantId),
      ])
      if (!read?.tenant.tier) return null
      const { status, tier } = read.tenant
      // Limits are for a tenant as a whole: it has what its stable view has.
      const { stable } = viewsOf(read.layers, tenantId, tier)
      releasesOf.set(place, stable)
      const configs = await configsOf(tenantId, read, stable)
      return { status, tier, configs, features: tenant?.features ?? {}, quotas: tenant?.quotas ?? {} }
    },
  }
}
