import { sha256Hex } from "../hash.ts"
import { canonical, type Json } from "../json.ts"
import type { ChangeContent, Edit } from "./change.ts"

// Interfaces have no index signature, so the compiler cannot see that these hold nothing but JSON.
const plain = (value: unknown): Json => value as Json

/**
 * What approvals bind to: SHA-256 of the canonical JSON (RFC 8785) of the edits, the plan, the versions that the
 * edited keys had, the schema each value was checked against (`null`: none), and what its gate asks, hex.
 */
export const contentHashOf = ({
  edits,
  plan,
  base,
  gate,
}: Pick<ChangeContent, "edits" | "plan" | "base" | "gate">): string => {
  const schemas = Object.fromEntries(edits.map(({ key, schema }) => [key, schema ?? null]))
  // Left out where it asks the usual, as it was before there was anything else.
  const asked = gate === undefined ? {} : { gate: plain(gate) }
  return sha256Hex(
    canonical({ edits: plain(edits), plan: plain(plan), base: plain(base), schemas, ...asked }),
  )
}

/** SHA-256 of the canonical JSON of an edit: the checksum its version is kept with. */
export const editChecksum = (edit: Edit): string => sha256Hex(canonical(plain(edit)))
