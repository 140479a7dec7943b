import type { ArchivedTable, ArchiveHeader, ArchivePart, Manifest } from "../../../core/backup/manifest.ts"
import { ARCHIVE_LIMITS, isBackupId, isPartId } from "../../../core/backup/manifest-format.ts"
import { Refusal } from "../../../core/errors.ts"
import { PLATFORM, type ScopeId } from "../../../core/ids.ts"
import type { JobProgress } from "../../../core/job/job.ts"
import { type BlobStore, blobNames, type Removal } from "../blob-store.ts"
import type { KeyRing } from "../keys/key-ring.ts"
import { putManifest } from "./keeping.ts"
import type { ArchiveKeys, KeptArchiveKey } from "./key-opening.ts"
import { ARCHIVE_ROOT, archiveName, archivesFolder, lastWord, partName, partsFolder } from "./names.ts"
import { openPart } from "./part.ts"
import { openArchive } from "./reading.ts"
import { type OpenedManifest, openSealedManifest, sealManifest } from "./sealed-manifest.ts"
import { hashOf, subKeys } from "./sub-keys.ts"
import { manifestOf, writeTables } from "./writing.ts"

/** A table to be archived: one row's JSON text each, without a line break. */
export interface TableSource {
  name: string
  rows: AsyncIterable<string>
  /** Kept with it: where the next archive of the scope has the same, the table is taken over unread. */
  fingerprint?: string
}

/** What a new manifest says; where its tables come from is told apart by `parts`: those that have them are taken over unread. */
export interface ArchiveToWrite extends Omit<Manifest, "format" | "partsKey" | "tables"> {
  tables: AsyncIterable<TableSource | ArchivedTable> | Iterable<TableSource | ArchivedTable>
  /** One that can be built on ({@link Archives.canBuildOn}): parts it names are not written, nor looked at, again. */
  previous?: Manifest | null
  /** Nobody has begun to write it before. */
  isNew?: boolean
  /** The scope's archive key, as whoever asks has just read it; it is looked up if not. */
  key?: KeptArchiveKey
  /** After each part: `parts`, `rows` and `bytes` so far. */
  onPart?(done: JobProgress): Promise<void> | void
  signal?: AbortSignal
}

export interface WrittenArchive {
  manifest: Manifest
  /** SHA-256 of the manifest as it is stored. */
  hash: string
  /** What was not stored before. */
  writtenBytes: number
}

/** A manifest that was opened, found to be whole and in order. */
export interface OpenManifest {
  header: ArchiveHeader
  manifest: Manifest
  /** SHA-256 of it as it is stored. */
  hash: string
  /** As stored: the header and what is sealed. */
  bytes: Uint8Array
  unwrap?: KeyRing["unwrap"]
  /** The plain bytes of one of its parts as it is stored. Throws Refusal ARCHIVE_DAMAGED. */
  openPart(part: ArchivePart, sealed: Uint8Array): Promise<Uint8Array>
}

export interface OpenArchive extends Omit<OpenManifest, "openPart"> {
  /**
   * A table's rows as they were; none for a table it does not name. What is wrong shows when the reading comes to it: who must
   * not begin on a damaged archive calls {@link check} first.
   */
  rows(table: string): AsyncIterable<string>
  /** Reads and verifies all of it. Throws Refusal ARCHIVE_DAMAGED, with what and where. */
  check(onPart?: (done: JobProgress) => Promise<void> | void, signal?: AbortSignal): Promise<void>
}

/**
 * Archives in a blob store, each in its home: the folder of its own scope or, of one that came from elsewhere, of
 * `~platform`. All of these throw Refusals ARCHIVE_* that say what is wrong with an archive and where.
 */
export interface Archives {
  /**
   * Makes the scope's archive key, if it has none: before the snapshot, as the key has a row in `data_keys`, which is archived.
   */
  prepare(source: ScopeId): Promise<void>
  /** Writes the manifest last. One of that id that is there already is what is returned, and nothing is written. */
  write(archive: ArchiveToWrite): Promise<WrittenArchive>
  /**
   * `hash`: of its manifest as it was listed. Whoever may write to the store can seal an archive for the key that this deployment
   * receives with: only what is known of it tells it from the one that was there. Throws Refusal ARCHIVE_NOT_FOUND, _DAMAGED, _NEWER,
   * _TOO_LARGE, _KEY_UNKNOWN.
   */
  open(home: ScopeId, backupId: string, hash?: string | null): Promise<OpenArchive>
  /** One that is not in the store, or not yet. */
  openManifest(sealed: Uint8Array): Promise<OpenManifest>
  /** Which there are; the database need not be there. */
  list(home: ScopeId): Promise<string[]>
  /** Parts that the manifest names and the store does not have, by names alone. */
  missingParts(home: ScopeId, manifest: Manifest): Promise<ArchivePart[]>
  /**
   * Whether a new archive of the scope may take over what this one names: every part is there, and was sealed with the key
   * that archives are sealed with now, as it was not before a rotation.
   */
  canBuildOn(manifest: Manifest): Promise<boolean>

  /** Sealed, as stored. `null`: it is not there. */
  sealedManifest(home: ScopeId, backupId: string): Promise<Uint8Array | null>
  sealedPart(home: ScopeId, partId: string): Promise<Uint8Array | null>
  /** Takes one in after `openPart` of its manifest took it. */
  putPart(home: ScopeId, partId: string, sealed: Uint8Array): Promise<"written" | "there">
  /**
   * The last step of taking an archive in: reads and verifies all of its parts in the store, then writes the manifest.
   * Another manifest under its id is refused as ARCHIVE_EXISTS; the same one again is well.
   */
  accept(
    home: ScopeId,
    sealedManifest: Uint8Array,
    ...told: Parameters<OpenArchive["check"]>
  ): Promise<OpenArchive>

  /** From then on the archive is not there. */
  removeManifest(home: ScopeId, backupId: string): Promise<Removal>
  /** Every part that a manifest of the home names. Throws when one of them does not open, or a location does not answer. */
  partsNamed(home: ScopeId): Promise<Set<string>>
  /** Every part in the store, named or not. */
  parts(home: ScopeId): AsyncIterable<string>
  removePart(home: ScopeId, partId: string): Promise<Removal>
}

/** `root`: the folder of the store that all of them are in. */
export const createArchives = (parts: { blobs: BlobStore; keys: ArchiveKeys; root?: string }): Archives => {
  const { blobs, keys, root = ARCHIVE_ROOT } = parts

  const openedAs = async (
    home: ScopeId,
    backupId: string,
    bytes: Uint8Array,
    hash: string | null,
  ): Promise<OpenedManifest> => {
    if (hash !== null && hashOf(bytes) !== hash)
      throw new Refusal("ARCHIVE_DAMAGED", "The manifest is another than the one that was listed.")
    const opened = await openSealedManifest(keys, bytes)
    checkHome(home, opened.manifest)
    if (opened.manifest.backupId === backupId) return opened
    throw new Refusal("ARCHIVE_DAMAGED", `The manifest is that of the archive ${opened.manifest.backupId}.`)
  }

  const stored = async (
    home: ScopeId,
    backupId: string,
    hash: string | null = null,
  ): Promise<OpenedManifest | null> => {
    const name = archiveName(root, home, backupId)
    const tried = new Set<string>()
    let first: Refusal | undefined
    for (;;) {
      const bytes = await blobs.get(name, (copy) => !tried.has(hashOf(copy)))
      if (bytes === null) return null
      if (first && tried.has(hashOf(bytes))) throw first
      tried.add(hashOf(bytes))
      try {
        return await openedAs(home, backupId, bytes, hash)
      } catch (error) {
        // Another location may have a whole one.
        if (!(error instanceof Refusal)) throw error
        first ??= error
      }
    }
  }

  const missing = async (home: ScopeId, { tables }: Pick<Manifest, "tables">): Promise<ArchivePart[]> => {
    const named = new Map(tables.flatMap((table) => table.parts.map((part) => [part.id, part])))
    if (named.size > 0)
      for await (const name of blobNames(blobs, partsFolder(root, home))) named.delete(lastWord(name))
    return [...named.values()]
  }

  const listed = async (home: ScopeId, how?: Parameters<typeof blobNames>[2]): Promise<string[]> => {
    const ids: string[] = []
    for await (const name of blobNames(blobs, archivesFolder(root, home), how))
      if (isBackupId(lastWord(name))) ids.push(lastWord(name))
    return ids
  }

  const archives: Archives = {
    async prepare(source) {
      await keys.forWriting(source)
    },

    async write(archive) {
      const { source, backupId, signal } = archive
      const name = archiveName(root, source, backupId)
      const before = archive.isNew ? null : await stored(source, backupId)
      if (before) return { manifest: before.manifest, hash: before.hash, writtenBytes: 0 }
      const { key, wrapped } = await keys.forWriting(source, archive.key)
      const sub = subKeys(key, source)
      if (archive.previous && archive.previous.partsKey !== sub.id)
        throw new Error(`the keys of ${source} were rotated since it was looked at what can be taken over`)
      const written = await writeTables({ blobs, root, source, keys: sub }, archive)
      const manifest = manifestOf(archive, sub.id, written.tables)
      // Whatever was taken over unseen could have been removed meanwhile.
      const gone = written.hasReused ? await missing(source, manifest) : []
      if (gone.length > 0)
        throw new Error(`${gone.length} parts of ${source} that were there are not any more`)
      const bytes = await sealManifest(manifest, wrapped, sub)
      signal?.throwIfAborted()
      if (!(await putManifest(blobs, name, bytes)))
        throw new Error(`another attempt at the archive ${backupId} came to its end at this moment`)
      return { manifest, hash: hashOf(bytes), writtenBytes: written.writtenBytes + bytes.length }
    },

    async open(home, backupId, hash = null) {
      const opened = isBackupId(backupId) ? await stored(home, backupId, hash) : null
      if (opened === null)
        throw new Refusal(
          "ARCHIVE_NOT_FOUND",
          `There is no archive ${JSON.stringify(backupId.slice(0, 64))} of ${home}.`,
        )
      return openArchive({ blobs, root, home }, opened)
    },

    async openManifest(sealed) {
      const { keys: sub, ...opened } = await openSealedManifest(keys, sealed)
      const { source } = opened.header
      return {
        ...opened,
        openPart: (part, bytes) => openPart(sub, source, part, bytes, `The part ${part.id}`),
      }
    },

    list: (home) => listed(home),

    missingParts: missing,
    async canBuildOn(manifest) {
      const { source, partsKey } = manifest
      const { key } = await keys.forWriting(source)
      return subKeys(key, source).id === partsKey && (await missing(source, manifest)).length === 0
    },

    sealedManifest: async (home, backupId) =>
      isBackupId(backupId) ? await blobs.get(archiveName(root, home, backupId)) : null,
    sealedPart: async (home, partId) =>
      isPartId(partId) ? await blobs.get(partName(root, home, partId)) : null,
    putPart: async (home, partId, sealed) => {
      const { partBytes, sealBytes } = ARCHIVE_LIMITS
      if (sealed.length > partBytes + sealBytes)
        throw new Refusal("ARCHIVE_TOO_LARGE", `The part ${partId} has ${sealed.length} bytes.`)
      return await blobs.putOnce(partName(root, home, partId), sealed)
    },

    async accept(home, sealedManifest, onPart, signal) {
      const opened = await openSealedManifest(keys, sealedManifest)
      const { backupId } = opened.manifest
      checkHome(home, opened.manifest)
      const archive = openArchive({ blobs, root, home }, opened)
      await archive.check(onPart, signal)
      const name = archiveName(root, home, backupId)
      if (!(await putManifest(blobs, name, sealedManifest)))
        throw new Refusal("ARCHIVE_EXISTS", `Another archive of ${home} has the id ${backupId}.`)
      return archive
    },

    removeManifest: (home, backupId) => blobs.remove(archiveName(root, home, backupId)),
    async partsNamed(home) {
      const named = new Set<string>()
      for (const backupId of await listed(home, { isComplete: true })) {
        const { manifest } = await archives.open(home, backupId)
        for (const table of manifest.tables) for (const part of table.parts) named.add(part.id)
      }
      return named
    },
    async *parts(home) {
      for await (const name of blobNames(blobs, partsFolder(root, home)))
        if (isPartId(lastWord(name))) yield lastWord(name)
    },
    removePart: (home, partId) => blobs.remove(partName(root, home, partId)),
  }
  return archives
}

/** What is in a scope's own folder is of that scope. */
const checkHome = (home: ScopeId, { source }: Manifest): void => {
  if (source !== home && home !== PLATFORM)
    throw new Refusal(
      "ARCHIVE_DAMAGED",
      `The manifest is of an archive of ${source}, where those of ${home} are.`,
    )
}
