import type { WrappedArchiveKey } from "../../../core/backup/manifest.ts"
import type { ScopeId } from "../../../core/ids.ts"
import type { KeyRing } from "../keys/key-ring.ts"

/** An archive key as the database has it. */
export interface KeptArchiveKey {
  generation: number
  /** `null`: it was destroyed. */
  wrapped: Uint8Array | null
  wrappedBy: string
}

/** What opens archives and seals them. */
export interface ArchiveKeys {
  /**
   * The key that archives of the scope are sealed with now: `kept`, where that has just been read; the first time, one is made. Throws
   * Refusal SECRET_SHREDDED.
   */
  forWriting(source: ScopeId, kept?: KeptArchiveKey): Promise<{ key: Uint8Array; wrapped: WrappedArchiveKey }>
  /** Throws Refusal ARCHIVE_KEY_UNKNOWN, SECRET_SHREDDED or SECRET_KEYS_UNAVAILABLE. */
  opened(source: ScopeId, wrapped: WrappedArchiveKey): Promise<OpenedKey>
}

export interface OpenedKey {
  key: Uint8Array
  /** Where it came from elsewhere: unwraps the data keys in it, which the ring here does not. */
  unwrap?: KeyRing["unwrap"]
}
