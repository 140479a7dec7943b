import { POLICY_KEY, type PolicyDocument } from "../change/policy.ts"
import type { LayerPolicy } from "../change/scope-state.ts"
import { sha256Hex } from "../hash.ts"
import { type ChunkId, parseConfigKey, type ReleaseId } from "../ids.ts"
import { byteLength, canonical, type Json, type JsonObject } from "../json.ts"
import { chunkIndex } from "../release/bucket.ts"
import { EMPTY_RELEASE, releaseIdOf } from "../release/compile.ts"
import type { Entry, Manifest } from "../release/release.ts"
import { type ArchiveRow, invalid } from "./rows.ts"

const BITS_MAX = 8
const HASH = /^[0-9a-f]{64}$/

/** What is remembered of a chunk: not its text. */
interface ChunkFacts {
  id: ChunkId
  keys: number
  bytes: number
  /** What the hashes of its keys begin with, and how many bits of it they have in common; of one without keys, all. */
  prefix: number
  bits: number
  policy: Entry | null
}

/** A key that a config or the service's own may have. */
export const isKey = (key: string): boolean => key === POLICY_KEY || parseConfigKey(key) !== null

/** The chunks and releases of an archive, each held to its hash and to what a release is. */
export class ReleaseJudge {
  readonly #chunks = new Map<string, ChunkFacts>()
  readonly #releases = new Map<string, readonly ChunkFacts[]>()

  chunk(row: ArchiveRow): void {
    const { chunk_id: id, text } = row.values as { chunk_id: ChunkId; text: string }
    const refuse = (what: string) => invalid(row.table, row.nth, what)
    if (sha256Hex(text) !== id) throw refuse(`its text does not have the hash "${id}"`)
    const members = membersOf(text)
    if (members === null) throw refuse("its text is not the canonical JSON of a chunk")
    const keys = Object.keys(members)
    for (const key of keys) if (!isKey(key) || !isEntry(members[key]!)) throw refuse(`"${key}" is no config`)
    const hashes = keys.map((key) => chunkIndex(key, BITS_MAX))
    const prefix = hashes[0] ?? 0
    const bits = Math.min(BITS_MAX, ...hashes.map((hash) => Math.clz32(hash ^ prefix) - 24))
    const policy = (members[POLICY_KEY] as Entry | undefined) ?? null
    this.#chunks.set(id, { id, keys: keys.length, bytes: byteLength(text), prefix, bits, policy })
  }

  release(row: ArchiveRow): void {
    const { release_id: id, manifest: given } = row.values as { release_id: ReleaseId; manifest: Json }
    const refuse = (what: string) => invalid(row.table, row.nth, what)
    if (!isManifest(given)) throw refuse("its manifest is none")
    const { bits, chunks, keys, bytes } = given
    if (releaseIdOf(given) !== id) throw refuse(`its manifest does not have the hash "${id}"`)
    const facts = chunks.map((chunkId, index) => {
      const chunk = this.#chunks.get(chunkId)
      if (chunk === undefined) throw refuse(`it names chunk "${chunkId}", which is not there`)
      const isInPlace = chunk.bits >= bits && chunk.prefix >>> (BITS_MAX - bits) === index
      if (chunk.keys > 0 && !isInPlace) throw refuse(`chunk "${chunkId}" holds keys of another place`)
      return chunk
    })
    const sum = (of: "keys" | "bytes") => facts.reduce((total, chunk) => total + chunk[of], 0)
    if (sum("keys") !== keys || sum("bytes") !== bytes) throw refuse("its manifest counts wrongly")
    this.#releases.set(id, facts)
  }

  /** Every scope begins with the empty one, whether it is kept or not. */
  has(release: string): boolean {
    return this.#releases.has(release) || release === EMPTY_RELEASE.id
  }

  isKept(release: string): boolean {
    return this.#releases.has(release)
  }

  /** The chunks that these releases consist of. */
  chunksOf(releases: Iterable<string>): Set<string> {
    const ids = new Set<string>()
    for (const release of releases) for (const { id } of this.#releases.get(release) ?? []) ids.add(id)
    return ids
  }

  /** The scope's own policy as a release holds it; `null`: none. */
  policyOf(release: string): Omit<LayerPolicy, "scope"> | null {
    const chunks = this.#releases.get(release)
    if (!chunks) return null
    const entry = chunks[chunkIndex(POLICY_KEY, Math.log2(chunks.length))]!.policy
    return (
      entry && {
        version: entry.version,
        locked: entry.locked ?? false,
        document: entry.value as unknown as PolicyDocument,
      }
    )
  }
}

const membersOf = (text: string): JsonObject | null => {
  try {
    const value = JSON.parse(text) as Json
    return isObject(value) && canonical(value) === text ? value : null
  } catch {
    return null
  }
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const ENTRY: readonly string[] = ["locked", "schema", "value", "version"]

const isEntry = (entry: Json): boolean =>
  isObject(entry) &&
  Object.keys(entry).every((name) => ENTRY.includes(name)) &&
  entry.value !== undefined &&
  Number.isSafeInteger(entry.version) &&
  (entry.version as number) >= 1 &&
  (entry.locked === undefined || entry.locked === true)

const MANIFEST = ["bits", "bytes", "chunks", "keys"]

const isManifest = (value: Json): value is Json & Manifest =>
  isObject(value) &&
  canonical(Object.keys(value).sort()) === canonical(MANIFEST) &&
  Number.isInteger(value.bits) &&
  (value.bits as number) >= 0 &&
  (value.bits as number) <= BITS_MAX &&
  Array.isArray(value.chunks) &&
  value.chunks.length === 2 ** (value.bits as number) &&
  value.chunks.every((id) => typeof id === "string" && HASH.test(id)) &&
  Number.isSafeInteger(value.keys) &&
  Number.isSafeInteger(value.bytes)
