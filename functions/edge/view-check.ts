import { canonical } from "../../core/json.ts"
import { chunkIndex } from "../../core/release/bucket.ts"
import { chunkOf, membersOf } from "../../core/release/chunk.ts"
import { viewBits } from "../../core/release/view-id.ts"
import type { Scope, ViewPart } from "./scope.ts"

const encoder = new TextEncoder()

const sha256Hex = async (text: string): Promise<string> => {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text)))
  let hex = ""
  for (const byte of digest) hex += byte.toString(16).padStart(2, "0")
  return hex
}

/** The chunks that a whole view's text was joined from. */
export const cutView = (text: string, bits: number): string[] => {
  if (bits === 0) return [text]
  const chunks = Array.from({ length: 2 ** bits }, () => new Map<string, string>())
  for (const [key, value] of membersOf(text)) chunks[chunkIndex(key, bits)]!.set(key, value)
  return chunks.map(chunkOf)
}

const isWhole = async (text: string, scope: Scope, { view }: ViewPart): Promise<boolean> => {
  const bits = viewBits(view)
  const chunks = await Promise.all(cutView(text, bits).map(sha256Hex))
  const manifest = canonical({ bits, chunks, environment: scope.environment, tenantId: scope.tenantId })
  return view === `${bits}.${await sha256Hex(manifest)}`
}

const isChunk = (text: string, { view, index }: ViewPart): boolean => {
  const bits = viewBits(view)
  for (const key of membersOf(text).keys()) if (chunkIndex(key, bits) !== index) return false
  return true
}

/**
 * Is this text the view's, for this tenant × environment? A whole view is checked against the hash that
 * names it. The id does not hash a chunk alone: of that only the form is checked, and that its keys belong in it.
 */
export const isViewText = async (text: string, scope: Scope, part: ViewPart): Promise<boolean> => {
  try {
    return part.index === null ? await isWhole(text, scope, part) : isChunk(text, part)
  } catch {
    return false
  }
}
