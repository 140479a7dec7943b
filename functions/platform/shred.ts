import type { ScopeId } from "../../core/ids.ts"
import type { Database } from "../../db/client.ts"
import { forgetDataKeys, listDataKeys } from "../../db/queries/secrets.ts"
import type { KeyRing } from "./keys/key-ring.ts"
import type { Vault } from "./keys/vault.ts"

/** What was destroyed. */
export interface Shredded {
  /** Keys of the scope in the ring. */
  wrappingKeys: number
  /** Data keys that were taken out of the database. */
  dataKeys: number
  /** Sealed values of configs and channels that nobody can open any more. */
  values: number
}

/**
 * Makes everything that was ever sealed for a scope unreadable, in backups of the database as well: its wrapping keys
 * are not in them. For good. May be called again: then there is nothing left to count. Throws Refusal
 * SECRET_KEYS_UNAVAILABLE, with nothing lost.
 */
export const shredKeys = async (
  { db, keyRing, vault }: { db: Database; keyRing?: KeyRing | undefined; vault?: Vault | undefined },
  scope: ScopeId,
): Promise<Shredded> => {
  const kept = await listDataKeys(db, scope)
  // Without a ring nothing was ever sealed here.
  const wrappingKeys = (await keyRing?.shred(scope, [...new Set(kept.map((key) => key.wrappedBy))])) ?? 0
  vault?.forget(scope)
  return { wrappingKeys, ...(await forgetDataKeys(db, scope)) }
}
