import { createHash } from "node:crypto"
import type { Principal } from "../../core/access.ts"
import { Refusal } from "../../core/errors.ts"
import type { Idempotency } from "../platform/replay.ts"

const KEY = /^[\x20-\x7e]{1,128}$/

const sha256 = (parts: readonly string[]): string => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part)
  return hash.digest("hex")
}

/** Reads `Idempotency-Key`; `null` without one. Throws IDEMPOTENCY_KEY_INVALID. */
export const idempotencyOf = (
  header: string | undefined,
  principal: Principal,
  request: { method: string; url: string; body: string; ifMatch: string | undefined },
): Idempotency | null => {
  if (header === undefined) return null
  if (!KEY.test(header))
    throw new Refusal("IDEMPOTENCY_KEY_INVALID", "It is empty, too long, or not printable ASCII.")
  const { pathname, search } = new URL(request.url)
  return {
    key: sha256([principal.subject, header]),
    fingerprint: sha256([request.method, pathname + search, request.ifMatch ?? "", request.body]),
  }
}
