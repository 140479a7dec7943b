import { randomUUID } from "node:crypto"
import { constants } from "node:fs"
import { link, lstat, mkdir, open, readdir, realpath, rmdir, unlink } from "node:fs/promises"
import { dirname, join } from "node:path"
import {
  BLOBS_A_PAGE,
  type BlobStore,
  blobPath,
  blobPrefix,
  checkBlobSize,
  isBlobName,
  storeForbids,
  storeFull,
} from "./blob-store.ts"
import { type Clock, systemClock } from "./clock.ts"

const UNFINISHED = /^\.[0-9a-f]{8}-[0-9a-f-]{27}$/
const UNFINISHED_MS = 86_400_000

const codeOf = (error: unknown): string => String((error as { code?: unknown }).code)
const MISSING = ["ENOENT", "ENOTDIR"]
const FULL = ["ENOSPC", "EDQUOT", "EFBIG"]
const FORBIDDEN = ["EACCES", "EPERM", "EROFS"]
/** A folder that is emptied and removed while something is put into it is made again; not for ever. */
const TRIES = 5

const toldAs = (error: unknown, verb: "written" | "read" | "removed"): unknown => {
  if (FULL.includes(codeOf(error))) return storeFull(error)
  return FORBIDDEN.includes(codeOf(error)) ? storeForbids(verb, error) : error
}

const missing = (error: unknown): null => {
  if (MISSING.includes(codeOf(error))) return null
  throw toldAs(error, "read")
}

const sync = async (path: string): Promise<void> => {
  const handle = await open(path, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Made one by one, as making them all at once would go through links. */
const makeFolders = async (directory: string, path: string): Promise<void> => {
  if (await mkdir(directory, { recursive: true })) await sync(dirname(directory))
  let folder = directory
  for (const word of path.split("/").slice(0, -1)) {
    const above = folder
    folder = join(folder, word)
    const isNew = await mkdir(folder).then(
      () => true,
      (error: unknown) => {
        if (codeOf(error) === "EEXIST") return false
        throw error
      },
    )
    if (!(await lstat(folder)).isDirectory()) throw new Error(`${folder} is not a folder`)
    // A folder lasts when the one that names it does.
    if (isNew) await sync(above)
  }
}

/**
 * A folder on this machine. Links in it are not followed; the folder itself may be one. What a process that was killed left
 * unfinished is removed a day later, when the folder it is in is listed.
 */
export const diskBlobStore = (directory: string, clock: Pick<Clock, "nowMs"> = systemClock): BlobStore => {
  let root: string | undefined

  /** A name's folder. Throws where a link leads from it to another place. */
  const folderOf = async (path: string): Promise<string> => {
    const folder = dirname(join(directory, path))
    const found = await realpath(folder)
    const isBelow = () => root !== undefined && found === join(root, dirname(path))
    // Asked for again where it does not fit: it may be a link to another place by now.
    if (!isBelow()) root = await realpath(directory)
    if (!isBelow()) throw new Error(`${folder} leads to ${found}`)
    return folder
  }

  /** The file of a name, looked into; `null`: there is none. */
  const look = async (name: string) => {
    const path = blobPath(name)
    try {
      const file = join(await folderOf(path), path.slice(path.lastIndexOf("/") + 1))
      const status = await lstat(file)
      if (status.isDirectory()) return null
      if (!status.isFile()) throw new Error(`${file} is not a file`)
      return { file, bytes: status.size }
    } catch (error) {
      return missing(error)
    }
  }

  const writeOnce = async (path: string, bytes: Uint8Array): Promise<"written" | "there"> => {
    const folder = await folderOf(path).catch(async (error: unknown) => {
      if (codeOf(error) !== "ENOENT") throw error
      await makeFolders(directory, path)
      return await folderOf(path)
    })
    const unfinished = join(folder, `.${randomUUID()}`)
    try {
      const handle = await open(unfinished, "wx", 0o440)
      try {
        await handle.writeFile(bytes)
        await handle.sync()
      } finally {
        await handle.close()
      }
      // A link, as renaming would take the place of what is there.
      await link(unfinished, join(directory, path))
    } catch (error) {
      if (codeOf(error) === "ENOTDIR") throw new Error(`${folder} is not a folder`, { cause: error })
      if (codeOf(error) !== "EEXIST") throw error
      if (await look(path)) {
        // Whoever wrote it may have been killed before it was sure to last.
        await sync(folder)
        return "there"
      }
      throw new Error(`${path} is the name of a folder`, { cause: error })
    } finally {
      await unlink(unfinished).catch(() => {})
    }
    await sync(folder)
    return "written"
  }

  /** A folder that is empty says nothing, except whose it was. */
  const removeEmpty = async (path: string): Promise<void> => {
    for (let folder = dirname(path); folder !== "."; folder = dirname(folder)) {
      const isGone = await rmdir(join(directory, folder)).then(
        () => true,
        () => false,
      )
      if (!isGone) return
    }
  }

  return {
    async putOnce(name, bytes) {
      const path = blobPath(name)
      checkBlobSize(name, bytes.length)
      for (let nth = 1; ; nth++)
        try {
          return await writeOnce(path, bytes)
        } catch (error) {
          if (codeOf(error) !== "ENOENT" || nth === TRIES) throw toldAs(error, "written")
        }
    },
    async get(name) {
      const found = await look(name)
      if (found === null) return null
      checkBlobSize(name, found.bytes)
      try {
        const handle = await open(found.file, constants.O_RDONLY | constants.O_NOFOLLOW)
        try {
          return await handle.readFile()
        } finally {
          await handle.close()
        }
      } catch (error) {
        return missing(error)
      }
    },
    size: async (name) => (await look(name))?.bytes ?? null,
    async list(folder, { after = "", limit = BLOBS_A_PAGE } = {}) {
      const names: string[] = []
      for await (const name of walk(directory, blobPrefix(folder), after, clock.nowMs() - UNFINISHED_MS)) {
        if (names.length === limit) return { names, after: names.at(-1) ?? after }
        names.push(name)
      }
      return { names, after: null }
    },
    async remove(name) {
      const found = await look(name)
      if (found === null) return "absent"
      try {
        await unlink(found.file)
      } catch (error) {
        if (codeOf(error) === "ENOENT") return "absent"
        throw toldAs(error, "removed")
      }
      // The folder may be gone by now, with what somebody else removed last.
      await sync(dirname(found.file)).catch(missing)
      await removeEmpty(blobPath(name))
      return "removed"
    },
  }
}

interface Entry {
  /** With a slash behind it, if it is a folder: so they stand in the order of the whole names below them. */
  word: string
  isFolder: boolean
}

const entriesOf = async (folder: string): Promise<Entry[]> => {
  try {
    const found = await readdir(folder, { withFileTypes: true })
    return found
      .filter((entry) => entry.isFile() || entry.isDirectory())
      .map((entry) => ({
        word: entry.name + (entry.isDirectory() ? "/" : ""),
        isFolder: entry.isDirectory(),
      }))
      .sort((one, other) => (one.word < other.word ? -1 : 1))
  } catch (error) {
    missing(error)
    return []
  }
}

const removeOld = async (file: string, beforeMs: number): Promise<void> => {
  try {
    if ((await lstat(file)).mtimeMs < beforeMs) await unlink(file)
  } catch {
    // Somebody else has removed it, or nobody may.
  }
}

async function* walk(
  directory: string,
  prefix: string,
  after: string,
  unfinishedBeforeMs: number,
): AsyncGenerator<string> {
  for (const { word, isFolder } of await entriesOf(join(directory, prefix))) {
    const name = prefix + word
    if (isFolder) {
      // All that is in it comes before that name, unless that name is in it.
      if (name < after && !after.startsWith(name)) continue
      if (isBlobName(name.slice(0, -1))) yield* walk(directory, name, after, unfinishedBeforeMs)
    } else if (UNFINISHED.test(word)) await removeOld(join(directory, name), unfinishedBeforeMs)
    else if (name > after && isBlobName(name)) yield name
  }
}
