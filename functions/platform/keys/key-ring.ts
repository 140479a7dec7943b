import type { ScopeId } from "../../../core/ids.ts"
import type { KeyName } from "../../../core/secret/place.ts"

/** A data key that only the ring opens. */
export interface WrappedKey {
  bytes: Uint8Array
  /** Names the wrapping key. */
  by: string
}

/**
 * The wrapping keys: one of each scope, kept outside the database. They wrap data keys and nothing else, each bound to
 * its name. All of these throw Refusal SECRET_KEYS_UNAVAILABLE where the ring cannot be reached.
 */
export interface KeyRing {
  /** With the scope's latest key; the first time, one is made. Throws Refusal SECRET_SHREDDED. */
  wrap(name: KeyName, key: Uint8Array): Promise<WrappedKey>
  /** With whichever key wrapped it. Throws Refusal SECRET_SHREDDED, and an error for what was wrapped under another name. */
  unwrap(name: KeyName, wrapped: WrappedKey): Promise<Uint8Array>
  /** A new key for the scope, that wraps from now on. The others still unwrap. */
  renew(scope: ScopeId): Promise<void>
  /** Destroys every key of the scope, those that `known` names among them, for good: it never gets another. Returns how many. */
  shred(scope: ScopeId, known: readonly string[]): Promise<number>
}
