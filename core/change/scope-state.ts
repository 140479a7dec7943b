import type { AuditBody } from "../audit/entry.ts"
import type { Environment } from "../environment.ts"
import type { ChangeId, ChunkId, ConfigKey, ReleaseId, ScopeId, Tier } from "../ids.ts"
import type { JsonObject } from "../json.ts"
import type { Candidate, ChunkTexts, Manifest, Pointer } from "../release/release.ts"
import type { SecretToKeep } from "../secret/edits.ts"
import type { Change, Edit, Instant } from "./change.ts"
import type { NoticeType } from "./notice.ts"
import type { PolicyDocument } from "./policy.ts"

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
  /** Policies of the layers the scope stands on and of itself, farthest first; those that have none are left out. */
  policies: readonly LayerPolicy[]
  /** Of the platform and tiers: a rollout of another of these scopes in this environment; they go one at a time. */
  elsewhere: { scope: ScopeId; changeId: ChangeId } | null
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
   * `at`, live or rolled back), and those asked for whatever their state.
   */
  changes: ReadonlyMap<ChangeId, Change>
}

/** The policy that one layer has of its own, as its stable release holds it. */
export interface LayerPolicy {
  scope: ScopeId
  /** Of the reserved key. */
  version: number
  locked: boolean
  document: PolicyDocument
}

/** One row of a pointer's history, as far as rolling back to it goes. */
export interface Move {
  seq: number
  at: Instant
  stable: ReleaseId
  stableChangeId: ChangeId | null
  cause: string
}

/** Somebody is to be told, by whatever channels the scope has. Never holds a value. */
export interface Notice {
  type: NoticeType
  changeId: ChangeId
  /** Who is named, when and why: what the message is made of. */
  detail: JsonObject
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
  /** The scope's own policy from now on; left out, it stays; `null`, it has none. */
  policy?: Omit<LayerPolicy, "scope"> | null
  /** Versions of the policies it inherits (scope → version) that the decision rests on: others are a conflict. */
  inherited: Readonly<Record<ScopeId, number>>
  notices: readonly Notice[]
  /** New releases with the chunks that are not stored yet, as far as was known: either may be stored already. */
  releases: readonly { id: ReleaseId; manifest: Manifest }[]
  chunks: readonly { id: ChunkId; text: string }[]
  versions: readonly VersionRow[]
  /** Changes that are new or were looked at, with when the clock should look at each next. */
  changes: readonly { change: Change; isNew: boolean; dueAt: string | null }[]
  audit: readonly AuditBody[]
  /** To be sealed and kept before the rest is written, which names them by number. */
  secrets?: readonly SecretToKeep[]
}
