import { randomBytes } from "node:crypto"
import { Refusal } from "../../../core/errors.ts"
import type { ScopeId } from "../../../core/ids.ts"
import { canonical, type Json } from "../../../core/json.ts"
import { type KeyName, type Place, placeBytes } from "../../../core/secret/place.ts"
import { Secret } from "../../../core/secret/secret.ts"
import type { Database } from "../../../db/client.ts"
import { findDataKey, insertDataKey, type StoredKey } from "../../../db/queries/secrets.ts"
import type { Clock } from "../clock.ts"
import { createLru } from "../lru.ts"
import type { KeyRing } from "./key-ring.ts"
import { KEY_BYTES, open, seal } from "./sealing.ts"

/** A value that only its place's data key opens, and only in its place. */
export interface Sealed {
  generation: number
  bytes: Uint8Array
}

/** Seals and opens: data keys from the database, unwrapped by the ring, which has the keys they were wrapped by. */
export interface Vault {
  /** With the latest data key of the place's realm; the first time, one is made. */
  seal(place: Place, value: Secret): Promise<Sealed>
  /** Throws NotOpened, and Refusal SECRET_SHREDDED. */
  open(place: Place, sealed: Sealed): Promise<Secret>
  /** What is remembered of the scope's keys is not used again. */
  forget(scope: ScopeId): void
}

interface DataKey {
  scope: ScopeId
  generation: number
  key: Uint8Array
  untilMs: number
}

/** So long an unwrapped key stays in memory: what is rotated or shredded elsewhere is in force here this much later. */
export const KEY_KEPT_MS = 60_000
const KEYS_MAX = 2_000

export const createVault = (parts: { db: Database; keyRing: KeyRing; clock: Clock }): Vault => {
  const { db, keyRing, clock } = parts
  const known = createLru<string, DataKey>(KEYS_MAX)
  // A scope whose keys were destroyed is not to be served from what was read before.
  const forgotten = new Map<ScopeId, number>()

  const keep = (name: string, found: Omit<DataKey, "untilMs">): DataKey => {
    // Copied to memory of its own: what it came in is a piece of a page that thousands of others share, and all of that would stay.
    const key = { ...found, key: new Uint8Array(found.key), untilMs: clock.nowMs() + KEY_KEPT_MS }
    known.set(name, key)
    return key
  }

  const kept = (name: string): DataKey | null => {
    const found = known.get(name)
    if (!found || found.untilMs <= clock.nowMs()) return null
    return (forgotten.get(found.scope) ?? 0) >= found.untilMs - KEY_KEPT_MS ? null : found
  }

  const unwrapped = async (name: Omit<KeyName, "generation">, row: StoredKey): Promise<DataKey> => {
    const { scope, realm } = name
    const { generation, wrapped, wrappedBy } = row
    if (wrapped === null) throw new Refusal("SECRET_SHREDDED", `The keys of "${scope}" were destroyed.`)
    const key = await keyRing.unwrap({ scope, realm, generation }, { bytes: wrapped, by: wrappedBy })
    return keep(nameOf(scope, realm, generation), { scope, generation, key })
  }

  const make = async (scope: ScopeId, realm: string, generation: number): Promise<void> => {
    const key = randomBytes(KEY_BYTES)
    const { bytes, by } = await keyRing.wrap({ scope, realm, generation }, key)
    // Where somebody else made it at this moment, theirs is the one.
    await insertDataKey(db, scope, realm, { generation, wrapped: bytes, wrappedBy: by })
  }

  /** Many who need a key at once ask for it once. */
  const underWay = new Map<string, Promise<DataKey>>()
  const fetched = (name: string, fetch: () => Promise<DataKey>): Promise<DataKey> => {
    const begun = underWay.get(name)
    if (begun !== undefined) return begun
    const fetching = fetch().finally(() => underWay.delete(name))
    underWay.set(name, fetching)
    return fetching
  }

  const latest = async (scope: ScopeId, realm: string): Promise<DataKey> => {
    const name = nameOf(scope, realm, null)
    const fetch = async () => {
      let row = await findDataKey(db, scope, realm)
      if (!row) {
        await make(scope, realm, 1)
        row = await findDataKey(db, scope, realm)
      }
      return keep(name, await unwrapped({ scope, realm }, row!))
    }
    return kept(name) ?? (await fetched(name, fetch))
  }

  const ofGeneration = async (scope: ScopeId, realm: string, generation: number): Promise<DataKey> => {
    const name = nameOf(scope, realm, generation)
    const fetch = async () => {
      const row = await findDataKey(db, scope, realm, generation)
      if (!row) throw new Error(`there is no data key ${generation} of ${scope} in ${realm}`)
      return await unwrapped({ scope, realm }, row)
    }
    return kept(name) ?? (await fetched(name, fetch))
  }

  return {
    seal: async (place, value) => {
      const { generation, key } = await latest(place.scope, place.realm)
      const plain = Buffer.from(canonical(value.reveal()))
      return { generation, bytes: seal(key, plain, placeBytes(place)) }
    },
    open: async (place, { generation, bytes }) => {
      const { key } = await ofGeneration(place.scope, place.realm, generation)
      const plain = Buffer.from(open(key, bytes, placeBytes(place)))
      return new Secret(JSON.parse(plain.toString()) as Json)
    },
    forget: (scope) => {
      forgotten.set(scope, clock.nowMs())
    },
  }
}

const nameOf = (scope: ScopeId, realm: string, generation: number | null): string =>
  `${scope}/${realm}/${generation ?? "latest"}`
