import { Refusal } from "../../core/errors.ts"

/** Under which key an answer is kept, and which request it answers. */
export interface Idempotency {
  /** Unique within a scope: no two principals share one, nor do one's tokens for two environments. */
  key: string
  /** HMAC-SHA-256 over the request: the same key with another request is refused. */
  fingerprint: string
}

/** The kept answer, if it is this request's. Throws IDEMPOTENCY_KEY_REUSED when it is another's. */
export const replayOf = <Kept extends { fingerprint: string }>(
  kept: Kept | null,
  idempotency: Idempotency | null,
): Kept | null => {
  if (!kept || !idempotency) return null
  if (kept.fingerprint !== idempotency.fingerprint)
    throw new Refusal(
      "IDEMPOTENCY_KEY_REUSED",
      "It came with another request before: another method, path or body.",
    )
  return kept
}
