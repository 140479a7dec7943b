import { randomBytes } from "node:crypto"
import type { AuditBody } from "../../../core/audit/entry.ts"
import type { ScopeId } from "../../../core/ids.ts"
import type { Database } from "../../../db/client.ts"
import type { Remember } from "../../../db/queries/replies.ts"
import { rotateDataKeys } from "../../../db/queries/secret-upkeep.ts"
import { listDataKeys } from "../../../db/queries/secrets.ts"
import type { KeyRing } from "./key-ring.ts"
import { KEY_BYTES } from "./sealing.ts"

/** The generation that seals in each realm from now on. */
export type Rotated = readonly { realm: string; generation: number }[]

/**
 * Another wrapping key for the scope and another data key for each of its realms. The data keys it had are wrapped by
 * the new one, and what they sealed is sealed anew, by and by, by the relay. `null`: somebody else did so at this
 * moment. Throws `KeyTaken` and Refusal SECRET_SHREDDED.
 */
export const rotateKeys = async (
  { db, keyRing }: { db: Database; keyRing: KeyRing },
  scope: ScopeId,
  auditOf: (rotated: Rotated) => AuditBody,
  replyOf: (rotated: Rotated) => Remember<null> | undefined,
): Promise<Rotated | null> => {
  // By itself a new wrapping key alters nothing that was sealed.
  await keyRing.renew(scope)
  const kept = await listDataKeys(db, scope)
  const rewrapped = []
  for (const { realm, generation, wrapped, wrappedBy } of kept) {
    if (wrapped === null) continue
    const name = { scope, realm, generation }
    const key = await keyRing.unwrap(name, { bytes: wrapped, by: wrappedBy })
    const { bytes, by } = await keyRing.wrap(name, key)
    rewrapped.push({ realm, generation, wrapped: bytes, wrappedBy: by })
  }
  const latest = new Map(kept.map(({ realm, generation }) => [realm, generation]))
  const fresh = []
  for (const [realm, before] of latest) {
    const generation = before + 1
    const { bytes, by } = await keyRing.wrap({ scope, realm, generation }, randomBytes(KEY_BYTES))
    fresh.push({ realm, generation, wrapped: bytes, wrappedBy: by })
  }
  const rotated = fresh.map(({ realm, generation }) => ({ realm, generation }))
  const done = await rotateDataKeys(db, scope, { fresh, rewrapped }, auditOf(rotated), replyOf(rotated))
  return done ? rotated : null
}
