import { randomUUID } from "node:crypto"
import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Manifest } from "../../../../core/backup/manifest.ts"
import { sha256Bytes } from "../../../../core/hash.ts"
import type { ScopeId } from "../../../../core/ids.ts"
import {
  type Archives,
  type ArchiveToWrite,
  createArchives,
  type OpenArchive,
  type TableSource,
} from "../../../../functions/platform/archive/archives.ts"
import type { ArchiveKeys } from "../../../../functions/platform/archive/key-opening.ts"
import type { BlobStore } from "../../../../functions/platform/blob-store.ts"
import { diskBlobStore } from "../../../../functions/platform/blob-store-disk.ts"
import { archiveKeys } from "../../../../functions/platform/keys/archive-keys.ts"
import { fileKeyRing } from "../../../../functions/platform/keys/file-key-ring.ts"
import type { KeyRing } from "../../../../functions/platform/keys/key-ring.ts"
import { makeMasterKey } from "../../../../functions/platform/keys/master-key.ts"
import { type Chance, chanceOf } from "../../../fuzz/chance.ts"
import { keyFolder } from "../../../support/keys.ts"
import { handClock } from "../fakes.ts"

export const ACME = "acme" as ScopeId
export const GLOBEX = "globex" as ScopeId

/** A key of each scope's that a real ring has wrapped, without a database; reading is what it is at work. */
export const ringKeys = (keyRing: KeyRing): ArchiveKeys & { keyOf(scope: ScopeId): Promise<Uint8Array> } => {
  const made = new Map<ScopeId, Awaited<ReturnType<ArchiveKeys["forWriting"]>>>()
  // Whoever opens an archive has the ring and nothing else.
  const reading = archiveKeys({ db: undefined as never, keyRing, clock: handClock() })
  const forWriting = async (scope: ScopeId) => {
    // The same in each run, as it decides where rows are cut.
    const key = sha256Bytes(Buffer.from(scope))
    const { bytes, by } = await keyRing.wrap({ scope, realm: "~backups", generation: 1 }, key)
    const wrapped = Buffer.from(bytes).toString("base64")
    const kept = made.get(scope) ?? { key, wrapped: { by: "ring", generation: 1, wrapped, wrappedBy: by } }
    made.set(scope, kept)
    return kept
  }
  return { forWriting, opened: reading.opened, keyOf: async (scope) => (await forWriting(scope)).key }
}

export const newRing = (): KeyRing => {
  const directory = keyFolder()
  return fileKeyRing(directory, makeMasterKey(directory))
}

export interface ArchiveWorld {
  blobs: BlobStore
  keys: ReturnType<typeof ringKeys>
  archives: Archives
  /** The files of the store, each with its folder's name. */
  files(): Promise<string[]>
  stop(): Promise<void>
}

/** A folder of archives with a ring of its own. */
export const archiveWorld = async (): Promise<ArchiveWorld> => {
  const folder = await mkdtemp(join(tmpdir(), "hotswap-archives-"))
  const blobs = diskBlobStore(folder)
  const keys = ringKeys(newRing())
  return {
    blobs,
    keys,
    archives: createArchives({ blobs, keys }),
    files: async () => {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true })
      return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
    },
    stop: () => rm(folder, { recursive: true, force: true }),
  }
}

async function* each(rows: Iterable<string>): AsyncGenerator<string> {
  yield* rows
}

export const sources = (tables: Readonly<Record<string, Iterable<string>>>): TableSource[] =>
  Object.entries(tables).map(([name, rows]) => ({ name, rows: each(rows) }))

/** What an archive says of itself, where a test has nothing else to say. */
export const saying = (backupId: string, source = ACME): Omit<ArchiveToWrite, "tables"> => ({
  backupId,
  source,
  at: "2026-11-21T08:00:00.000000Z",
  schemaVersion: 14,
  environments: ["Staging", "Production"],
  revisions: { Staging: 3, Production: 12 },
  options: { includeEmptyTables: true },
  fingerprint: "0123456789abcdef",
})

export const writeArchive = async (
  archives: Archives,
  tables: Readonly<Record<string, Iterable<string>>>,
  more: Partial<ArchiveToWrite> = {},
): Promise<{ manifest: Manifest; hash: string; writtenBytes: number }> =>
  await archives.write({ ...saying(randomUUID()), tables: sources(tables), ...more })

export const rowsOf = async (archive: OpenArchive, table: string): Promise<string[]> => {
  const rows: string[] = []
  for await (const row of archive.rows(table)) rows.push(row)
  return rows
}

/** One row as it might be: text in several scripts, numbers that no float holds, escapes, and a lot that repeats. */
export const rowOf = (chance: Chance, nth: number, bytes = 500): string => {
  const key = `feature.${chance.one(["limits", "checkout", "Übersicht", "дом", "家"])}.${nth}`
  const filling = Buffer.from(Array.from({ length: chance.below(bytes) }, () => 33 + chance.below(90)))
  return JSON.stringify({
    tenant_id: "acme",
    key,
    at: nth,
    value: { text: filling.toString("latin1"), nl: "a\nb" },
  })
}

export const someRows = (seed: number, count: number, bytes?: number): string[] =>
  Array.from({ length: count }, (_, nth) => rowOf(chanceOf(seed, nth), nth, bytes))
