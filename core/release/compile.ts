import { checkReleaseSize } from "../config/limits.ts"
import { sha256Hex } from "../hash.ts"
import type { ChunkId, ConfigKey, ReleaseId } from "../ids.ts"
import { canonical, type Json } from "../json.ts"
import { chunkIndex } from "./bucket.ts"
import { bitsFor, chunkOf, memberBytes, memberOf, membersOf } from "./chunk.ts"
import type { ChunkTexts, Entry, EntryEdit, Manifest, Release } from "./release.ts"

export interface Chunk {
  id: ChunkId
  text: string
}

export type Compiled =
  | { kind: "compiled"; release: Release; chunks: Chunk[] }
  /** A chunk that the result depends on was not handed in. */
  | { kind: "needs_all_chunks" }

const chunkFrom = (text: string): Chunk => ({ id: sha256Hex(text) as ChunkId, text })

/** The chunk that holds no key. Known to every reader, so it may be missing from {@link ChunkTexts}. */
export const EMPTY_CHUNK: Chunk = chunkFrom("{}")

/** The id a manifest is addressed by. */
export const releaseIdOf = (manifest: Manifest): ReleaseId =>
  sha256Hex(canonical({ ...manifest } satisfies Record<keyof Manifest, Json>)) as ReleaseId

const EMPTY_MANIFEST: Manifest = { bits: 0, chunks: [EMPTY_CHUNK.id], keys: 0, bytes: 2 }

/** What a scope serves before anything was published. */
export const EMPTY_RELEASE: Release = { id: releaseIdOf(EMPTY_MANIFEST), manifest: EMPTY_MANIFEST }

/**
 * The release that `base` becomes with these edits. Its id depends only on what it holds, never on the
 * way there. Needs the chunks of the edited keys; all of them when the configuration grows or shrinks
 * past a chunking size. `chunks` are those that `base` does not have.
 * Throws Refusal `RELEASE_TOO_LARGE`.
 */
export const compile = (base: Release, chunks: ChunkTexts, edits: readonly EntryEdit[]): Compiled => {
  const { manifest } = base
  const parts = new Map<number, Map<string, string>>()
  const size = { keys: manifest.keys, weight: weightOf(manifest) }
  for (const { key, entry } of edits) {
    const index = chunkIndex(key, manifest.bits)
    const members = parts.get(index) ?? load(manifest, chunks, index)
    if (members === null) return { kind: "needs_all_chunks" }
    parts.set(index, members)
    edit(members, key, entry, size)
  }
  checkReleaseSize(size.keys, size.weight + 1)
  const bits = bitsFor(size.weight + 1)
  if (bits === manifest.bits) return finish(base, replaced(manifest, parts), size)
  const all = recut(manifest, chunks, parts, bits)
  return all === null ? { kind: "needs_all_chunks" } : finish(base, all, size)
}

/**
 * `weight` is the length of all members with one comma each: what their canonical JSON takes in one
 * piece, less one byte, however they are cut.
 */
interface Size {
  keys: number
  weight: number
}

/** A chunk has two braces, and one comma less than it has members. */
const weightOf = ({ bytes, chunks }: Manifest): number => bytes - 2 * chunks.length + filled(chunks)
const filled = (ids: readonly ChunkId[]): number =>
  ids.reduce((count, id) => (id === EMPTY_CHUNK.id ? count : count + 1), 0)

const load = (manifest: Manifest, chunks: ChunkTexts, index: number): Map<string, string> | null => {
  const text = chunkText(manifest, chunks, index)
  return text === undefined ? null : membersOf(text)
}

const chunkText = (manifest: Manifest, chunks: ChunkTexts, index: number): string | undefined => {
  const id = manifest.chunks[index]!
  return id === EMPTY_CHUNK.id ? EMPTY_CHUNK.text : chunks.get(id)
}

const edit = (members: Map<string, string>, key: ConfigKey, entry: Entry | null, size: Size): void => {
  const before = members.get(key)
  if (before !== undefined) {
    size.weight -= memberBytes(key, before)
    size.keys--
    members.delete(key)
  }
  if (entry === null) return
  const after = canonical(entryJson(entry))
  size.weight += memberBytes(key, after)
  size.keys++
  members.set(key, after)
}

/** Only what an entry has, so that a stray member can never enter a hash. */
const entryJson = ({ value, version, locked, schema }: Entry): Json => ({
  ...(locked ? { locked } : {}),
  ...(schema === undefined ? {} : { schema }),
  value,
  version,
})

/** Some chunks have new members, the others (strings: their ids) stay what they are. */
const replaced = (
  manifest: Manifest,
  parts: ReadonlyMap<number, Map<string, string>>,
): (Chunk | ChunkId)[] => {
  const pieces: (Chunk | ChunkId)[] = [...manifest.chunks]
  for (const [index, members] of parts) pieces[index] = chunkFrom(chunkOf(members))
  return pieces
}

/** Everything again, at another size; `null` if a chunk is missing. */
const recut = (
  manifest: Manifest,
  chunks: ChunkTexts,
  parts: ReadonlyMap<number, Map<string, string>>,
  bits: number,
): Chunk[] | null => {
  const pieces = Array.from({ length: 2 ** bits }, () => new Map<string, string>())
  for (const index of manifest.chunks.keys()) {
    const members = parts.get(index) ?? load(manifest, chunks, index)
    if (members === null) return null
    for (const [key, value] of members) pieces[chunkIndex(key, bits)]!.set(key, value)
  }
  return pieces.map((members) => chunkFrom(chunkOf(members)))
}

const finish = (base: Release, pieces: readonly (Chunk | ChunkId)[], { keys, weight }: Size): Compiled => {
  const ids = pieces.map((piece) => (typeof piece === "string" ? piece : piece.id))
  const manifest: Manifest = {
    bits: Math.log2(ids.length),
    chunks: ids,
    keys,
    bytes: weight + 2 * ids.length - filled(ids),
  }
  // The empty chunk is on every list that needs it: the base may be the constant, which nobody stored.
  const known = new Set<ChunkId>(base.manifest.chunks.filter((id) => id !== EMPTY_CHUNK.id))
  const chunks: Chunk[] = []
  for (const piece of pieces) {
    if (typeof piece === "string" || known.has(piece.id)) continue
    known.add(piece.id)
    chunks.push(piece)
  }
  return { kind: "compiled", release: { id: releaseIdOf(manifest), manifest }, chunks }
}

/** What the release holds of this key. Needs only the key's own chunk; throws if that is not there. */
export const readEntry = (manifest: Manifest, chunks: ChunkTexts, key: ConfigKey): Entry | null => {
  const text = needChunk(manifest, chunks, chunkIndex(key, manifest.bits))
  const member = memberOf(text, key)
  return member === null ? null : (JSON.parse(member) as Entry)
}

/** Everything the release holds. Throws if a chunk is not there. */
export const allEntries = (manifest: Manifest, chunks: ChunkTexts): Map<ConfigKey, Entry> => {
  const entries = new Map<ConfigKey, Entry>()
  for (const index of manifest.chunks.keys()) {
    const members = JSON.parse(needChunk(manifest, chunks, index)) as Record<ConfigKey, Entry>
    for (const key of Object.keys(members) as ConfigKey[]) entries.set(key, members[key]!)
  }
  return entries
}

/** The chunks in which these keys live, to load no others. */
export const chunksFor = (manifest: Manifest, keys: Iterable<ConfigKey>): Set<ChunkId> => {
  const ids = new Set<ChunkId>()
  for (const key of keys) ids.add(manifest.chunks[chunkIndex(key, manifest.bits)]!)
  return ids
}

const needChunk = (manifest: Manifest, chunks: ChunkTexts, index: number): string => {
  const text = chunkText(manifest, chunks, index)
  if (text === undefined) throw new Error(`chunk ${index} of a release was not loaded`)
  return text
}
