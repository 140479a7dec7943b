import { type Environment, parseEnvironment } from "../../core/environment.ts"
import { sha256Hex } from "../../core/hash.ts"
import type { ChunkId, ConfigKey, Layer, ReleaseId, TenantId } from "../../core/ids.ts"
import { canonical, type Json, type JsonObject } from "../../core/json.ts"
import { allEntries, EMPTY_CHUNK, releaseIdOf } from "../../core/release/compile.ts"
import type { Entry, Manifest } from "../../core/release/release.ts"
import type { Database } from "../../db/client.ts"
import { findScopeState, withSnapshot } from "../../db/queries/backup-snapshot.ts"
import type { OpenArchive } from "../platform/archive/archives.ts"
import { mergedOf, readLayers } from "../platform/layers.ts"

/** What was compared, and where it was not the same. */
export interface Compared {
  environments: number
  configs: number
  versions: number
  /** The tenant has not changed since the archive, so its readers were compared as well. */
  withLive: boolean
  /** Where something differs, in words that hold no value. */
  differences: string[]
}

type Rows = (table: string) => AsyncIterable<string>

/** What a tenant's tables say of its configuration. */
interface Told {
  /** By environment, the release that is stable. */
  stable: Map<string, ReleaseId>
  releases: Map<string, Manifest>
  chunks: Map<ChunkId, string>
  /** One hash for each version of a config, in no order. */
  versions: Set<string>
}

const member = (row: JsonObject, name: string): string => String(row[name])

/** What of a version is the same under every tenant's id. */
const versionOf = ({ environment, key, version, edit, checksum }: JsonObject): string =>
  sha256Hex(canonical([environment, key, version, edit, checksum] as Json)).slice(0, 32)

/** Rows come in the order that they were appended in, so the last of an environment's pointers is the one that holds. */
const tellOf = async (rows: Rows): Promise<Told> => {
  const told: Told = { stable: new Map(), releases: new Map(), chunks: new Map(), versions: new Set() }
  const seqs = new Map<string, number>()
  const each = async (table: string, take: (row: JsonObject) => void): Promise<void> => {
    for await (const line of rows(table)) take(JSON.parse(line) as JsonObject)
  }
  await each("pointers", (row) => {
    const environment = member(row, "environment")
    if (Number(row.seq) < (seqs.get(environment) ?? 0)) return
    seqs.set(environment, Number(row.seq))
    told.stable.set(environment, member(row, "stable") as ReleaseId)
  })
  // Of all that ever was stable no more is held than what is.
  const stable = new Set<string>(told.stable.values())
  await each("releases", (row) => {
    const id = member(row, "release_id") as ReleaseId
    if (stable.has(id)) told.releases.set(id, row.manifest as unknown as Manifest)
  })
  const wanted = new Set<string>([...told.releases.values()].flatMap(({ chunks }) => chunks))
  await each("chunks", (row) => {
    const id = member(row, "chunk_id") as ChunkId
    if (wanted.has(id)) told.chunks.set(id, member(row, "text"))
  })
  await each("config_versions", (row) => told.versions.add(versionOf(row)))
  return told
}

type Entries = ReadonlyMap<ConfigKey, Entry>

/** What is stable in an environment, from chunks that are what their names say. `null`: they are not, or not there. */
const stableOf = ({ stable, releases, chunks }: Told, environment: string): Entries | null => {
  const id = stable.get(environment)
  const manifest = id && releases.get(id)
  if (!manifest || releaseIdOf(manifest) !== id) return null
  const isRight = (chunk: ChunkId) => chunk === EMPTY_CHUNK.id || sha256Hex(chunks.get(chunk) ?? "") === chunk
  return manifest.chunks.every(isRight) ? allEntries(manifest, chunks) : null
}

const textOf = (entries: Entries): string =>
  canonical(Object.fromEntries([...entries].map(([key, entry]) => [key, entry as unknown as Json])))

const missing = (from: ReadonlySet<string>, of: ReadonlySet<string>): number =>
  [...from].filter((hash) => !of.has(hash)).length

/** Of a tenant that nobody altered since: what its readers get now, and what they would get from the restored one. */
const differsFromLive = async (
  db: Database,
  live: TenantId,
  environment: Environment,
  restored: Entries,
): Promise<boolean> => {
  const layered = await readLayers({ db }, { scope: live, environment }, null)
  const entries = await layered.everything()
  const valuesOf = (tenant: Entries): string => {
    const merged = mergedOf(new Map<Layer, Entries>([...entries, ["tenant", tenant]]))
    return canonical(Object.fromEntries([...merged].map(([key, { value }]) => [key, value])))
  }
  return valuesOf(entries.get("tenant") ?? new Map()) !== valuesOf(restored)
}

/**
 * Holds a restored tenant against the archive that it was made of, row by row and by what its configuration comes to, and against
 * the tenant itself, where that has not moved since. Everything is read in one snapshot of the restored tenant.
 */
export const compareRestored = async (
  { db, bulk }: { db: Database; bulk: Database },
  archive: OpenArchive,
  scratch: TenantId,
  environments: readonly Environment[],
): Promise<Compared> => {
  const { source, revisions } = archive.manifest
  const archived = await tellOf((table) => archive.rows(table))
  const restored = await withSnapshot(bulk, scratch, ({ rows }) => tellOf(rows))
  const found: Compared = { environments: 0, configs: 0, versions: 0, withLive: false, differences: [] }
  if (!restored) return { ...found, differences: ["the restored tenant is not there"] }
  const now = await findScopeState(db, source)
  found.withLive = now !== null && canonical({ ...now.revisions }) === canonical({ ...revisions })
  found.versions = restored.versions.size
  const unknown = missing(restored.versions, archived.versions)
  if (unknown > 0) found.differences.push(`${unknown} versions are not those of the archive`)
  for (const name of archived.stable.keys()) {
    found.environments++
    const [before, after] = [stableOf(archived, name), stableOf(restored, name)]
    if (!before || !after) found.differences.push(`${name}: ${before ? "not restored" : "not whole"}`)
    else if (textOf(before) !== textOf(after)) found.differences.push(`${name}: another configuration`)
    found.configs += after?.size ?? 0
    const environment = parseEnvironment(name, environments)
    if (found.withLive && after && environment)
      if (await differsFromLive(db, source as TenantId, environment, after))
        found.differences.push(`${name}: not what the tenant's readers get`)
  }
  return found
}
