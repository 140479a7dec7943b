import { createHash, createHmac, type Hash, type Hmac, hkdfSync } from "node:crypto"
import type { JSONWebKeySet } from "jose"
import type { Principal } from "../../core/access.ts"
import { Refusal } from "../../core/errors.ts"
import type { Idempotency } from "../platform/replay.ts"

const KEY = /^[\x20-\x7e]{1,128}$/

const digest = (hash: Hash | Hmac, parts: readonly string[]): string => {
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part)
  return hash.digest("hex")
}

const KEY_BYTES = 32

/**
 * What requests are told apart by. A body may hold a secret that could be guessed from a plain hash of it, so that the
 * hash takes a key that is not in the database: one derived from the key that signs reader tokens, which it tells nothing of.
 */
export const requestKeyOf = ({ keys }: JSONWebKeySet): Uint8Array => {
  const secret = keys.find(({ d }) => typeof d === "string")?.d
  return new Uint8Array(hkdfSync("sha256", String(secret), "", "hotswap request 1", KEY_BYTES))
}

/** Reads `Idempotency-Key`; `null` without one. Throws IDEMPOTENCY_KEY_INVALID. */
export const idempotencyOf = (
  header: string | undefined,
  principal: Principal,
  request: { method: string; url: string; body: string; ifMatch: string | undefined },
  requestKey: Uint8Array,
): Idempotency | null => {
  if (header === undefined) return null
  if (!KEY.test(header))
    throw new Refusal("IDEMPOTENCY_KEY_INVALID", "It is empty, too long, or not printable ASCII.")
  const { pathname, search } = new URL(request.url)
  const { subject, environment } = principal
  // Where the request names no environment it is about the token's: what was done in one was not in another.
  const asker = environment === null ? [subject] : [subject, environment]
  return {
    key: digest(createHash("sha256"), [...asker, header]),
    fingerprint: digest(createHmac("sha256", requestKey), [
      request.method,
      pathname + search,
      request.ifMatch ?? "",
      request.body,
    ]),
  }
}
