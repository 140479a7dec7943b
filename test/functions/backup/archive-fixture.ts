import { mkdirSync, readdirSync, readFileSync } from "node:fs"
import { readFile, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileKeyRing } from "../../../functions/platform/keys/file-key-ring.ts"
import type { KeyRing } from "../../../functions/platform/keys/key-ring.ts"
import { readMasterKey, writeNew } from "../../../functions/platform/keys/master-key.ts"
import { keyFolder } from "../../support/keys.ts"

const FOLDER = "test/golden/archives"

/** An archive with all that opens it, as files in Base64 by their paths. */
interface Kept {
  backupId: string
  keys: Record<string, string>
  blobs: Record<string, string>
}

export interface ArchiveFixture {
  backupId: string
  /** Where the blobs lie as a store on disk has them. */
  blobs: string
  keyRing: KeyRing
}

const filesIn = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(folder.length + 1), readFileSync(path).toString("base64")]),
  )

const layOut = (files: Record<string, string>): string => {
  const folder = keyFolder()
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true, mode: 0o700 })
    writeNew(join(folder, path), Buffer.from(content, "base64"))
  }
  return folder
}

/** The schema versions that an archive is kept of. */
export const archivedSchemas = (): string[] =>
  readdirSync(FOLDER).flatMap((name) => /^schema-(\d+)\.json$/.exec(name)?.[1] ?? [])

export const writeFixture = async (
  schemaVersion: number,
  { backupId, keys, blobs }: { backupId: string; keys: string; blobs: string },
): Promise<void> => {
  const kept: Kept = { backupId, keys: filesIn(keys), blobs: filesIn(blobs) }
  await writeFile(`${FOLDER}/schema-${schemaVersion}.json`, `${JSON.stringify(kept, null, 1)}\n`)
}

export const readFixture = async (schemaVersion: string): Promise<ArchiveFixture> => {
  const kept = JSON.parse(await readFile(`${FOLDER}/schema-${schemaVersion}.json`, "utf8")) as Kept
  const directory = layOut(kept.keys)
  const blobs = layOut(kept.blobs)
  return { backupId: kept.backupId, blobs, keyRing: fileKeyRing(directory, readMasterKey(directory)!) }
}
