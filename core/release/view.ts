import { isReserved } from "../change/policy.ts"
import type { Environment } from "../environment.ts"
import { isFlag } from "../flag/is-flag.ts"
import { sha256Hex } from "../hash.ts"
import type { ConfigKey, Layer, TenantId, ViewId } from "../ids.ts"
import { canonical, type Json } from "../json.ts"
import { chunkIndex } from "./bucket.ts"
import { bitsFor, memberBytes, membersOf, sorted } from "./chunk.ts"
import type { Entry } from "./release.ts"
import { joinChunks, viewBits, viewManifest } from "./view-id.ts"

export { viewBits }

/** What a reader of one tenant × environment gets: merged, immutable, addressed by its content. */
export interface View {
  id: ViewId
  bits: number
  /** `2 ** bits` texts: canonical JSON of `{key: value}`, each key in the chunk its hash names. */
  chunks: string[]
}

/** A view as it is made: only then what is in it is looked at one by one. */
export interface CompiledView extends View {
  /** Names what flags there are and what they say: equal for equal flags. Empty where there is none. */
  flags: string
}

/** One key after merging, and where it came from. */
export interface MergedEntry {
  value: Json
  layer: Layer
  version: number
  /** Locked in the layer it came from. */
  locked: boolean
}
export type Merged = Map<ConfigKey, MergedEntry>

/** One layer's part, as `allEntries` reads it. */
export interface LayerEntries {
  layer: Layer
  entries: ReadonlyMap<ConfigKey, Entry>
}

/**
 * Lays the layers over each other, farthest first: platform, tier, tenant. The nearest wins key by key,
 * unless a farther one has the key locked; of several locks the farthest holds. What the service keeps for itself is
 * left out: no reader is handed it, and no view's id depends on it.
 */
export const mergeLayers = (layers: readonly LayerEntries[]): Merged => {
  const merged: Merged = new Map()
  for (const { layer, entries } of layers) {
    for (const [key, { value, version, locked }] of entries) {
      if ((merged.size > 0 && merged.get(key)?.locked) || isReserved(key)) continue
      merged.set(key, { value, layer, version, locked: locked === true })
    }
  }
  return merged
}

/** Sixteen digits tell two states of one tenant's flags apart; nothing else is ever compared by them. */
const FLAGS_DIGITS = 16

const flagsOf = (
  merged: ReadonlyMap<ConfigKey, Pick<MergedEntry, "value">>,
  keys: ConfigKey[],
  values: string[],
) => {
  const texts = keys.flatMap((key, i) => (isFlag(merged.get(key)!.value) ? [`${key}:${values[i]}`] : []))
  return texts.length === 0 ? "" : sha256Hex(texts.join("\n")).slice(0, FLAGS_DIGITS)
}

/** The view that readers of this tenant × environment get of what was merged. */
export const compileView = (
  tenantId: TenantId,
  environment: Environment,
  merged: ReadonlyMap<ConfigKey, Pick<MergedEntry, "value">>,
): CompiledView => {
  const keys = sorted(merged.keys()) as ConfigKey[]
  const values = keys.map((key) => canonical(merged.get(key)!.value))
  const bytes = keys.reduce((sum, key, i) => sum + memberBytes(key, values[i]!), 1)
  const bits = bitsFor(bytes)
  const texts = new Array<string>(2 ** bits).fill("")
  for (const [i, key] of keys.entries()) {
    const index = chunkIndex(key, bits)
    texts[index] += texts[index] === "" ? `"${key}":${values[i]}` : `,"${key}":${values[i]}`
  }
  const chunks = texts.map((text) => `{${text}}`)
  const flags = flagsOf(merged, keys, values)
  return { id: viewIdOf(tenantId, environment, chunks), bits, chunks, flags }
}

/** The id that chunks with these texts have for this tenant × environment. */
const viewIdOf = (tenantId: TenantId, environment: Environment, chunks: readonly string[]): ViewId => {
  const bits = Math.log2(chunks.length)
  return `${bits}.${sha256Hex(viewManifest(tenantId, environment, bits, chunks.map(sha256Hex)))}` as ViewId
}

/** Are these the view's chunks, whole, and meant for this tenant × environment? Trust nothing cached before. */
export const verifyView = (
  id: ViewId,
  tenantId: TenantId,
  environment: Environment,
  chunks: readonly string[],
): boolean => chunks.length === 2 ** viewBits(id) && viewIdOf(tenantId, environment, chunks) === id

/** The whole `configs` object as JSON. */
export const viewText = (view: Pick<View, "chunks">): string => joinChunks(view.chunks)

/** What a reader of `stable` has to set and take away to have `candidate`. */
export interface ViewDifference {
  set: Record<ConfigKey, Json>
  unset: ConfigKey[]
}

/** The difference by text: equal chunks are not even read, equal values not parsed. */
export const viewDifference = (
  stable: Pick<View, "bits" | "chunks">,
  candidate: Pick<View, "bits" | "chunks">,
): ViewDifference => {
  const set: Record<ConfigKey, Json> = {}
  const unset: ConfigKey[] = []
  for (const [before, after] of pairs(stable, candidate)) {
    if (before === after) continue
    const old = membersOf(before)
    for (const [key, value] of membersOf(after)) {
      if (old.get(key) !== value) set[key as ConfigKey] = JSON.parse(value) as Json
      old.delete(key)
    }
    for (const key of old.keys()) unset.push(key as ConfigKey)
  }
  return { set, unset }
}

/** Chunks that hold the same keys; views cut differently are compared in one piece. */
const pairs = (
  stable: Pick<View, "bits" | "chunks">,
  candidate: Pick<View, "bits" | "chunks">,
): (readonly [string, string])[] =>
  stable.bits === candidate.bits
    ? stable.chunks.map((text, i) => [text, candidate.chunks[i]!] as const)
    : [[joinChunks(stable.chunks), joinChunks(candidate.chunks)]]
