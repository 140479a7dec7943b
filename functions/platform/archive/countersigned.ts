import { droppedOrigin, noteParts, originOf, signedNote } from "../../../core/audit/checkpoint.ts"
import type { ScopeId } from "../../../core/ids.ts"
import type { CheckpointSigner } from "../checkpoint-signer.ts"
import type { Archives, OpenArchive } from "./archives.ts"

/** Tables whose rows hold a note that the deployment they are from has signed. */
const SIGNED = new Set(["audit_checkpoints", "audit_drops"])

/** The row with its note signed here. One that is no note of that chain stays what it is, and is found to be none. */
const resigned = (row: string, source: ScopeId, signer: CheckpointSigner): string => {
  const values = JSON.parse(row) as { note: string }
  const parts = noteParts(values.note)
  const origin = originOf(source)
  if (parts === null || ![origin, droppedOrigin(origin)].includes(parts.name)) return row
  const { name, text } = parts
  return JSON.stringify({ ...values, note: signedNote(text, { name, ...signer.signText(text) }) })
}

const withNotes = (archive: OpenArchive, signer: CheckpointSigner): OpenArchive => ({
  ...archive,
  async *rows(table) {
    for await (const row of archive.rows(table))
      yield SIGNED.has(table) ? resigned(row, archive.manifest.source, signer) : row
  },
})

/**
 * Of a tenant that was handed over, what was signed of its audit trail comes with this deployment's signature: the other one's
 * word for all of it was checked when it was taken in, and from here on this one has to answer for it. Without a signer they come
 * as they were.
 */
export const countersigned = (archives: Archives, signer: CheckpointSigner | undefined): Archives => ({
  ...archives,
  open: async (home, backupId) => {
    const archive = await archives.open(home, backupId)
    return archive.unwrap && signer ? withNotes(archive, signer) : archive
  },
})
