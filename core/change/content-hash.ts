import { sha256Hex } from "../hash.ts"
import { canonical, type Json } from "../json.ts"
import type { ChangeContent, Edit } from "./change.ts"

// Interfaces have no index signature, so the compiler cannot see that these hold nothing but JSON.
const plain = (value: unknown): Json => value as Json

/**
 * What approvals bind to: SHA-256 of the canonical JSON (RFC 8785) of the edits, the plan, the versions that the
 * edited keys had, and the schema each value was checked against (`null`: none), hex.
 */
export const contentHashOf = ({
  edits,
  plan,
  base,
}: Pick<ChangeContent, "edits" | "plan" | "base">): string => {
  const schemas = Object.fromEntries(edits.map(({ key, schema }) => [key, schema ?? null]))
  return sha256Hex(canonical({ edits: plain(edits), plan: plain(plan), base: plain(base), schemas }))
}

/** SHA-256 of the canonical JSON of an edit: the checksum its version is kept with. */
export const editChecksum = (edit: Edit): string => sha256Hex(canonical(plain(edit)))
