import { droppedOrigin, noteText, originOf, signedNote } from "../../../core/audit/checkpoint.ts"
import type { CheckpointSigner } from "../checkpoint-signer.ts"
import type { Archives, OpenArchive } from "./archives.ts"

/** Tables whose rows hold a note that the deployment they are from has signed, by what it is called after. */
const SIGNED: ReadonlyMap<string, (origin: string) => string> = new Map([
  ["audit_checkpoints", (origin) => origin],
  ["audit_drops", droppedOrigin],
])

/** The row with its note signed here. One that is no note of that chain stays what it is, and is found to be none. */
const resigned = (row: string, name: string, signer: CheckpointSigner): string => {
  const values = JSON.parse(row) as { note: string }
  const text = noteText(values.note, name)
  if (text === null) return row
  return JSON.stringify({ ...values, note: signedNote(text, { name, ...signer.signText(text) }) })
}

const withNotes = (archive: OpenArchive, signer: CheckpointSigner): OpenArchive => ({
  ...archive,
  async *rows(table) {
    const nameOf = SIGNED.get(table)
    const name = nameOf?.(originOf(archive.manifest.source))
    for await (const row of archive.rows(table)) yield name === undefined ? row : resigned(row, name, signer)
  },
})

/**
 * Of a tenant that was handed over, what was signed of its audit trail comes with this deployment's signature: the other one's
 * word for all of it was checked when it was taken in, and from here on this one has to answer for it. Without a signer they come
 * as they were.
 */
export const countersigned = (archives: Archives, signer: CheckpointSigner | undefined): Archives => ({
  ...archives,
  open: async (home, backupId, hash) => {
    const archive = await archives.open(home, backupId, hash)
    return archive.unwrap && signer ? withNotes(archive, signer) : archive
  },
})
