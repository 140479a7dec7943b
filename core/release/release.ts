import type { ChangeId, ChunkId, ConfigKey, ReleaseId, TenantId, Tier } from "../ids.ts"
import type { Json } from "../json.ts"

/** What a release holds of one key: all that a reader and a validator need, nothing else. */
export interface Entry {
  value: Json
  version: number
  /** A locked key beats nearer layers: the kill switch. */
  locked?: true
  schema?: Json
}

/**
 * The table of contents of a release. Its canonical JSON is what a {@link ReleaseId} hashes.
 * A release of up to 256 KiB is one chunk (`bits` 0); a larger one is cut into `2 ** bits` chunks by
 * the hash of the key, so that a change to one key rewrites one chunk.
 */
export interface Manifest {
  bits: number
  chunks: ChunkId[]
  keys: number
  /** Length of all chunks together, in bytes of UTF-8. */
  bytes: number
}

export interface Release {
  id: ReleaseId
  manifest: Manifest
}

/** Some or all chunks of a release: chunk id to canonical JSON of `{key: Entry}`. */
export type ChunkTexts = ReadonlyMap<ChunkId, string>

/** Who may read the candidate, and how far the change has come. */
export interface Candidate {
  release: ReleaseId
  changeId: ChangeId
  step: number
  weightBp: number
  /** Only on the platform and tiers: who gets it besides the share, and who does not although they would. */
  audience?: Audience
}

/** Tenants reached by a wave by name or tier, and those taken out of it because the candidate fails them. */
export interface Audience {
  tiers: readonly Tier[]
  tenants: readonly TenantId[]
  excluded: readonly TenantId[]
}

/** Which releases a scope × environment serves. The last row of its append-only history is the pointer. */
export interface Pointer {
  /** Counts from 1; 0 is a scope that never published. It is the scope's part of the revision. */
  seq: number
  /** ISO 8601 with microseconds, from the database's clock; `null` at seq 0. */
  at: string | null
  /** A tenant's tier at that time; `null` for the platform and tiers. */
  tier: Tier | null
  stable: ReleaseId
  /** The change that made `stable` what it is; `null` before the first. */
  stableChangeId: ChangeId | null
  candidate: Candidate | null
}

/** One key, as it is to be in the next release; `entry` `null` takes it out. */
export interface EntryEdit {
  key: ConfigKey
  entry: Entry | null
}
