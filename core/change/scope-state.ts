import type { AuditBody } from "../audit/entry.ts"
import type { Environment } from "../environment.ts"
import type { ChangeId, ChunkId, ConfigKey, ReleaseId, ScopeId, Tier } from "../ids.ts"
import type { JsonObject } from "../json.ts"
import type { Candidate, ChunkTexts, Manifest, Pointer } from "../release/release.ts"
import type { Change, Edit } from "./change.ts"

/**
 * Everything a decision about one scope × environment rests on, read in one round trip.
 * `core` decides on it; {@link Commit} is what comes out; the database applies that only if `rev` stands.
 */
export interface ScopeState {
  scope: ScopeId
  environment: Environment
  status: "active" | "suspended"
  tier: Tier | null
  /** Rises with every commit to this scope × environment: the optimistic lock. */
  rev: number
  pointer: Pointer
  /** Manifests of the stable and the candidate release, and of any other that was asked for. */
  manifests: ReadonlyMap<ReleaseId, Manifest>
  /** Chunks holding the asked keys and the keys of a running candidate, of those releases; all when asked for. */
  chunks: ChunkTexts
  /** Last version number ever given, per asked key and per key of an open change; absent = never. */
  lastVersions: ReadonlyMap<ConfigKey, number>
  /** Description and owner of the version that is stable, per asked key that has either. */
  metadata: ReadonlyMap<ConfigKey, { description?: string; owner?: string }>
  /**
   * Every open change of the scope × environment, every one that still owes a review (`status.review` without
   * `at`, live or rolled back), and the one asked for whatever its state.
   */
  changes: ReadonlyMap<ChangeId, Change>
}

/** A version as history keeps it. The database adds `at`. */
export interface VersionRow {
  key: ConfigKey
  version: number
  changeId: ChangeId
  author: string
  reason: string | null
  edit: Edit
  /** SHA-256 of the canonical JSON of the edit. */
  checksum: string
}

/** An answer kept under the caller's `Idempotency-Key`. */
export interface Reply {
  status: number
  headers: Readonly<Record<string, string>>
  body: JsonObject
}

/** All that one decision writes, in one transaction, audit last. */
export interface Commit {
  scope: ScopeId
  environment: Environment
  /** `rev` the decision was made on. */
  expectedRev: number
  pointer?: {
    stable: ReleaseId
    stableChangeId: ChangeId | null
    candidate: Candidate | null
    tier: Tier | null
    /** Why it moved: the change and what happened to it. */
    changeId: ChangeId | null
    cause: "start" | "advance" | "live" | "rolled_back" | "recompiled" | "tier" | "created"
  }
  /** New releases with the chunks that are not stored yet, as far as was known: either may be stored already. */
  releases: readonly { id: ReleaseId; manifest: Manifest }[]
  chunks: readonly { id: ChunkId; text: string }[]
  versions: readonly VersionRow[]
  /** Changes that are new or were looked at, with when the clock should look at each next. */
  changes: readonly { change: Change; isNew: boolean; dueAt: string | null }[]
  audit: readonly AuditBody[]
}
