import type { Instant } from "../../core/change/change.ts"
import { isReserved } from "../../core/change/policy.ts"
import { checkReleaseSize } from "../../core/config/limits.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { sha256Hex } from "../../core/hash.ts"
import {
  type ChangeId,
  type ChunkId,
  type ConfigKey,
  parseConfigKey,
  type ReleaseId,
} from "../../core/ids.ts"
import { canonical, type Json } from "../../core/json.ts"
import { scanJson } from "../../core/json-scan.ts"
import { allEntries, EMPTY_CHUNK, EMPTY_RELEASE, releaseIdOf } from "../../core/release/compile.ts"
import type { Entry, Manifest } from "../../core/release/release.ts"
import { toInstant } from "../../db/instant.ts"
import type { OpenArchive } from "../platform/archive/archives.ts"
import { type KnownKey, knownKey } from "./kept-keys.ts"

/** What was stable in each environment that the archive knows. */
export type ArchivedKeys = ReadonlyMap<Environment, ReadonlyMap<ConfigKey, KnownKey>>

/** A key and an entry lie around a value in a chunk. */
const CHUNK_DEPTH_MAX = 64 + 2
const CHUNKS_MAX = 256

const invalid = (table: string, what: string): Refusal => new Refusal("ARCHIVE_INVALID", `${table}: ${what}.`)

type Row = Readonly<Record<string, Json>>
const rowsOf = async function* (archive: OpenArchive, table: string): AsyncGenerator<Row> {
  for await (const line of archive.rows(table)) yield JSON.parse(line) as Row
}

/**
 * What the archive's scope had as stable when it was made, or at `asOf`, in these environments. Reads its rows once each and
 * keeps no more than that. Whatever is in a row, only what a release may hold comes out. Throws Refusal ARCHIVE_INVALID,
 * RELEASE_TOO_LARGE.
 */
export const archivedKeys = async (
  archive: OpenArchive,
  environments: readonly Environment[],
  asOf: Instant | undefined,
): Promise<ArchivedKeys> => {
  const stable = await stableReleases(archive, environments, asOf)
  const manifests = await manifestsOf(archive, new Set(stable.values()))
  const texts = await chunksOf(archive, [...manifests.values()])
  const held = new Map<Environment, Map<ConfigKey, Entry>>()
  for (const environment of environments) {
    const release = stable.get(environment)
    const manifest = release === undefined ? EMPTY_RELEASE.manifest : manifests.get(release)
    if (!manifest) throw invalid("releases", `${release}, stable in ${environment}, is not there`)
    held.set(environment, entriesOf(environment, manifest, texts))
  }
  return await withFacts(archive, held)
}

const stableReleases = async (
  archive: OpenArchive,
  environments: readonly Environment[],
  asOf: Instant | undefined,
): Promise<Map<Environment, ReleaseId>> => {
  const last = new Map<Environment, { seq: number; stable: ReleaseId }>()
  let beginning = await createdAt(archive)
  for await (const { environment, seq, at, stable } of rowsOf(archive, "pointers")) {
    const name = environment as Environment
    const moved = instantIn("pointers", at)
    if (moved < beginning) beginning = moved
    if (!environments.includes(name) || (asOf !== undefined && moved > asOf)) continue
    if (Number(seq) >= (last.get(name)?.seq ?? 0))
      last.set(name, { seq: Number(seq), stable: stable as ReleaseId })
  }
  if (asOf !== undefined && asOf < beginning)
    throw new Refusal("AS_OF_INVALID", `It begins at ${beginning}: there is nothing before it.`)
  return new Map([...last].map(([environment, { stable }]) => [environment, stable]))
}

const instantIn = (table: string, at: Json | undefined): Instant => {
  try {
    return toInstant(String(at))
  } catch {
    throw invalid(table, "a row has no time")
  }
}

const createdAt = async (archive: OpenArchive): Promise<Instant> => {
  for await (const { created_at: at } of rowsOf(archive, "tenants")) return instantIn("tenants", at)
  throw invalid("tenants", "there is no row")
}

const manifestsOf = async (
  archive: OpenArchive,
  wanted: ReadonlySet<ReleaseId>,
): Promise<Map<ReleaseId, Manifest>> => {
  const found = new Map<ReleaseId, Manifest>([[EMPTY_RELEASE.id, EMPTY_RELEASE.manifest]])
  for await (const row of rowsOf(archive, "releases")) {
    const id = row.release_id as ReleaseId
    if (wanted.has(id)) found.set(id, manifestNamed(id, row.manifest))
  }
  return found
}

/** It is the release that its name is the hash of, so that nothing but a release was ever named so. */
const manifestNamed = (id: ReleaseId, json: Json | undefined): Manifest => {
  const { bits, chunks, keys, bytes } = (json ?? {}) as unknown as Manifest
  const manifest: Manifest = { bits, chunks, keys, bytes }
  if (!Array.isArray(chunks) || chunks.length > CHUNKS_MAX || chunks.length !== 2 ** bits)
    throw invalid("releases", `${id} is no release`)
  if (releaseIdOf(manifest) !== id) throw invalid("releases", `${id} is not what its name says`)
  checkReleaseSize(keys, bytes)
  return manifest
}

const chunksOf = async (
  archive: OpenArchive,
  manifests: readonly Manifest[],
): Promise<Map<ChunkId, string>> => {
  const wanted = new Set(manifests.flatMap(({ chunks }) => chunks))
  const texts = new Map<ChunkId, string>([[EMPTY_CHUNK.id, EMPTY_CHUNK.text]])
  for await (const { chunk_id: id, text } of rowsOf(archive, "chunks")) {
    if (!wanted.has(id as ChunkId)) continue
    if (sha256Hex(String(text)) !== id) throw invalid("chunks", `${String(id)} is not what its name says`)
    texts.set(id as ChunkId, String(text))
  }
  for (const id of wanted) if (!texts.has(id)) throw invalid("chunks", `${id} is not there`)
  return texts
}

const entriesOf = (
  environment: Environment,
  manifest: Manifest,
  texts: ReadonlyMap<ChunkId, string>,
): Map<ConfigKey, Entry> => {
  // Neither its depth nor its members are to be more than can be walked.
  for (const id of manifest.chunks) scanJson(texts.get(id)!, CHUNK_DEPTH_MAX)
  const entries = allEntries(manifest, texts)
  checkReleaseSize(entries.size, manifest.bytes)
  for (const [key, entry] of entries) {
    if (parseConfigKey(key) === null && !isReserved(key))
      throw new Refusal("KEY_INVALID", `${environment}: "${key.slice(0, 200)}" is not a key.`)
    if (!isEntry(entry)) throw invalid("chunks", `${environment}: ${key} is no config`)
    checkText(environment, key, entry)
  }
  return entries
}

/** What canonical JSON cannot hold could not be compared either. */
const checkText = (environment: Environment, key: ConfigKey, entry: Entry): void => {
  try {
    canonical(entry as unknown as Json)
  } catch {
    throw new Refusal("JSON_LONE_SURROGATE", `${environment}: ${key} holds half a surrogate pair.`)
  }
}

const isEntry = (entry: Entry): boolean =>
  typeof entry === "object" &&
  entry !== null &&
  entry.value !== undefined &&
  Number.isSafeInteger(entry.version) &&
  entry.version >= 1 &&
  (entry.locked === undefined || entry.locked === true)

const withFacts = async (
  archive: OpenArchive,
  held: ReadonlyMap<Environment, ReadonlyMap<ConfigKey, Entry>>,
): Promise<ArchivedKeys> => {
  const known = new Map(
    [...held].map(([environment, entries]) => [
      environment,
      new Map([...entries].map(([key, entry]) => [key, knownKey(entry, undefined)])),
    ]),
  )
  for await (const row of rowsOf(archive, "config_versions")) {
    const environment = row.environment as Environment
    const key = row.key as ConfigKey
    const entry = held.get(environment)?.get(key)
    if (!entry || entry.version !== row.version) continue
    const { description, owner } = (row.edit ?? {}) as Readonly<Record<string, string | undefined>>
    const facts = {
      changeId: row.change_id as ChangeId,
      checksum: row.checksum as string,
      description: description ?? null,
      owner: owner ?? null,
    }
    known.get(environment)!.set(key, knownKey(entry, facts))
  }
  return known
}
