import { mkdir, open, readFile, rename, stat } from "node:fs/promises"
import { join } from "node:path"
import { Failure } from "./failure.ts"
import type { Answer } from "./service.ts"

/** An archive on this machine: `manifest.json`, and each part in `parts` under its id. Everything in it is sealed as it was stored. */
export interface ArchiveFolder {
  path: string
  manifest(): Promise<ArchiveIndex>
  writeManifest(index: ArchiveIndex): Promise<void>
  /** Is the part there, as long as it should be? */
  has(part: PartName): Promise<boolean>
  part(part: PartName): Promise<Uint8Array>
  writePart(part: PartName, bytes: Uint8Array): Promise<void>
}

export interface PartName {
  id: string
  bytes: number
}

/** As `GET /api/v1/backups/{backupId}/manifest` gives it. */
export interface ArchiveIndex extends Answer {
  backupId: string
  /** Sealed, base64. */
  manifest: string
  hash: string
  parts: readonly PartName[]
}

const PART_ID = /^[0-9a-f]{64}$/

const isPart = (part: unknown): boolean => {
  const { id, bytes } = (part ?? {}) as Partial<PartName>
  return typeof id === "string" && PART_ID.test(id) && Number.isSafeInteger(bytes) && Number(bytes) >= 0
}

/** Names of files are made from ids: one that is none must not lead anywhere. Throws Failure. */
export const archiveIndex = (value: Answer, where: string): ArchiveIndex => {
  const { backupId, manifest, hash, parts } = value
  const isWhole =
    [backupId, manifest, hash].every((text) => typeof text === "string") &&
    Array.isArray(parts) &&
    parts.every(isPart)
  if (!isWhole) throw new Failure(`${where} is not the manifest of an archive`)
  return value as ArchiveIndex
}

/** Written aside and renamed, so that half a file is never taken for a whole one. */
const write = async (path: string, bytes: Uint8Array | string): Promise<void> => {
  const file = await open(`${path}.unfinished`, "w", 0o600)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.unfinished`, path)
}

const explained = async <T>(path: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Failure) throw error
    throw new Failure(`${path}: ${(error as Error).message}`)
  }
}

export const archiveFolder = (path: string): ArchiveFolder => {
  const manifestPath = join(path, "manifest.json")
  const partPath = ({ id }: PartName): string => join(path, "parts", id)
  return {
    path,
    manifest: () =>
      explained(manifestPath, async () => {
        const text = await readFile(manifestPath, "utf8")
        try {
          return archiveIndex(JSON.parse(text) as Answer, manifestPath)
        } catch (error) {
          throw error instanceof Failure ? error : new Failure(`${manifestPath} is not JSON`)
        }
      }),
    writeManifest: (index) =>
      explained(path, async () => {
        await mkdir(join(path, "parts"), { recursive: true, mode: 0o700 })
        await write(manifestPath, `${JSON.stringify(index, null, 2)}\n`)
      }),
    has: async (part) => (await stat(partPath(part)).catch(() => null))?.size === part.bytes,
    part: (part) => explained(partPath(part), () => readFile(partPath(part))),
    writePart: (part, bytes) => explained(partPath(part), () => write(partPath(part), bytes)),
  }
}
