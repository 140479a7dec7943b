import type { Instant } from "../change/change.ts"
import type { ScopeId } from "../ids.ts"
import type { JsonObject } from "../json.ts"

/** The format's name and number. A reader takes its own and every earlier one. */
export const ARCHIVE_FORMAT = "hotswap-archive/1"

/**
 * One piece of a table's NDJSON, packed and sealed on its own. Named by what is in it and by whose it is, so that the same
 * rows of the same scope are stored once, however many archives hold them.
 */
export interface ArchivePart {
  /** 64 hex digits: HMAC-SHA-256 of the plain bytes under a key of the scope's. */
  id: string
  /** Of the plain bytes, hex. */
  sha256: string
  plainBytes: number
  /** As stored: sealed, nonce and tag included. */
  packedBytes: number
}

export interface ArchivedTable {
  name: string
  rows: number
  /** Of all its NDJSON, hex. */
  sha256: string
  /** In order; their plain bytes one after the other are the NDJSON. */
  parts: readonly ArchivePart[]
  /** Two archives of a scope in which it is the same hold the same rows of this table. */
  fingerprint?: string
}

/** What stands in clear before a manifest: what is needed to open it, and nothing of what is in it. */
export interface ArchiveHeader {
  format: typeof ARCHIVE_FORMAT
  source: ScopeId
  backupId: string
  /** How to come to the key that opens it. */
  key: WrappedArchiveKey
}

/** `by` says who opens it: `"ring"`, the key ring of the deployment that made it, or the one it was handed to. */
export type WrappedArchiveKey = JsonObject & { by: string }

/** What an archive is of, and all that is needed to tell whether it is whole. Written last: without it there is no archive. */
export interface Manifest {
  format: typeof ARCHIVE_FORMAT
  backupId: string
  /** Whose rows they are. */
  source: ScopeId
  /** The instant of the snapshot. */
  at: Instant
  /** The number of the last migration that the database had. */
  schemaVersion: number
  environments: readonly string[]
  /** Of the scope itself, by environment: its pointers' `seq`. */
  revisions: Readonly<Record<string, number>>
  options: ArchiveOptions
  /** Two archives of one fingerprint hold the same rows. */
  fingerprint: string
  /** Tells the key that its parts are named and sealed with from others, 32 hex digits. */
  partsKey: string
  /** In the order in which they can be restored. */
  tables: readonly ArchivedTable[]
}

export interface ArchiveOptions {
  /** Tables without a row are named too. */
  includeEmptyTables: boolean
}
