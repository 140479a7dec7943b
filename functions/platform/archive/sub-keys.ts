import { createHmac, hash, hkdfSync } from "node:crypto"
import type { ScopeId } from "../../../core/ids.ts"
import { framed } from "../../../core/secret/place.ts"
import { KEY_BYTES } from "../keys/sealing.ts"

/** What an archive key is used for: nothing is done with the key itself. */
export interface SubKeys {
  /** Seals manifests. */
  manifests: Uint8Array
  /** Seals parts. */
  parts: Uint8Array
  /** Names parts. */
  names: Uint8Array
  /** Decides where tables are cut, so that nobody can write rows that are cut as they like. */
  cuts: Uint8Array
  /** Tells this key from others, and nothing of it. 32 hex digits. */
  id: string
}

const ID_BYTES = 16

/** As long as somebody has the key itself. A key is one scope's. */
const known = new WeakMap<Uint8Array, { source: ScopeId; keys: SubKeys }>()

/** HKDF (RFC 5869) with SHA-256, without a salt, as the key is random. */
export const subKeys = (key: Uint8Array, source: ScopeId): SubKeys => {
  const found = known.get(key)
  if (found?.source === source) return found.keys
  const keys = derivedKeys(key, source)
  known.set(key, { source, keys })
  return keys
}

const derivedKeys = (key: Uint8Array, source: ScopeId): SubKeys => {
  const derived = (purpose: string): Uint8Array =>
    new Uint8Array(hkdfSync("sha256", key, "", framed("hotswap archive 1", purpose, source), KEY_BYTES))
  return {
    manifests: derived("manifests"),
    parts: derived("parts"),
    names: derived("names"),
    cuts: derived("cuts"),
    id: Buffer.from(derived("id").subarray(0, ID_BYTES)).toString("hex"),
  }
}

/** The name of a part of these plain bytes, 64 hex digits. */
export const partIdOf = ({ names }: SubKeys, plain: Uint8Array): string =>
  createHmac("sha256", names).update(plain).digest("hex")

/** What a part's seal is bound to. */
export const partPlace = (source: ScopeId, partId: string): Uint8Array =>
  framed("hotswap archive part 1", source, partId)

/** SHA-256, 64 hex digits. */
export const hashOf = (bytes: Uint8Array): string => hash("sha256", bytes, "hex")
