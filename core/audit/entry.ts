import type { JsonObject } from "../json.ts"

/**
 * What happened, in words that hold no configuration value: values are bound by the release id.
 * Stored as canonical JSON; see {@link file://./chain.ts} for how entries are chained.
 */
export interface AuditBody {
  /** `config.edit`, `change.approve`, `token.issue`, … */
  action: string
  actor: { subject: string; tokenId: string }
  /** The id of what it was done to. */
  target: string
  environment?: string
  changeId?: string
  requestId?: string
  detail?: JsonObject
}

/** An entry as it is kept and exported. */
export interface AuditEntry {
  seq: number
  /** ISO 8601 with microseconds, from the database's clock under the lock. */
  at: string
  body: AuditBody
  /** Hex. */
  prev: string
  /** `SHA-256(0x00 ‖ prev ‖ JCS({at, body, seq}))`, hex; RFC 8785 canonical JSON. */
  hash: string
}

/** `prev` of the first entry. */
export const GENESIS = "0".repeat(64)
