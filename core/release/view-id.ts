import type { Environment } from "../environment.ts"
import type { TenantId, ViewId } from "../ids.ts"
import { canonical } from "../json.ts"

const FORMAT = /^([0-8])\.[0-9a-f]{64}$/

/** The view's id if the text is one, or `null`. */
export const parseViewId = (text: string): ViewId | null => (FORMAT.test(text) ? (text as ViewId) : null)

/** Into how many chunks the view is cut: `2 ** bits`. */
export const viewBits = (id: ViewId): number => Number(id.charAt(0))

/** What a view's id hashes: canonical JSON, also of the chunks' SHA-256 in hex. */
export const viewManifest = (
  tenantId: TenantId,
  environment: Environment,
  bits: number,
  chunkHashes: readonly string[],
): string => canonical({ bits, chunks: [...chunkHashes], environment, tenantId })

/** One JSON object of all the chunks' members, in the order of the chunks. Joins texts, parses nothing. */
export const joinChunks = (chunks: readonly string[]): string => {
  if (chunks.length === 1) return chunks[0]!
  let members = ""
  for (const chunk of chunks) {
    if (chunk === "{}") continue
    members += members === "" ? chunk.slice(1, -1) : `,${chunk.slice(1, -1)}`
  }
  return `{${members}}`
}
