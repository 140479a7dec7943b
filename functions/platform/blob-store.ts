import { randomUUID } from "node:crypto"
import { link, mkdir, open, readFile, unlink } from "node:fs/promises"
import { dirname, join } from "node:path"

/**
 * Where what must not be altered is kept: each name is written once. On AWS that is a bucket, elsewhere a folder.
 */
export interface BlobStore {
  /** Durable when it returns. `"there"`: the name was written before, and stays what it was. */
  putOnce(name: string, bytes: Uint8Array): Promise<"written" | "there">
  get(name: string): Promise<Uint8Array | null>
}

const NAME = /^[a-z0-9~][A-Za-z0-9~._-]*(\/[A-Za-z0-9~_-][A-Za-z0-9~._-]*)*$/

/** The name if it is one: words between slashes that need no encoding anywhere and lead nowhere else. Throws. */
export const blobPath = (name: string): string => {
  if (!NAME.test(name) || name.includes("..")) throw new Error(`"${name}" does not name a blob`)
  return name
}

const pathOf = (directory: string, name: string): string => join(directory, blobPath(name))

const isCode = (error: unknown, code: string): boolean => (error as { code?: string }).code === code

const sync = async (path: string): Promise<void> => {
  const handle = await open(path, "r")
  await handle.sync()
  await handle.close()
}

/** A folder on this machine. */
export const diskBlobStore = (directory: string): BlobStore => ({
  async putOnce(name, bytes) {
    const path = pathOf(directory, name)
    const folder = dirname(path)
    await mkdir(folder, { recursive: true })
    const unfinished = join(folder, `.${randomUUID()}`)
    const handle = await open(unfinished, "wx", 0o440)
    try {
      await handle.writeFile(bytes)
      await handle.sync()
      await handle.close()
      // A link, as renaming would take the place of what is there.
      await link(unfinished, path)
    } catch (error) {
      if (isCode(error, "EEXIST")) return "there"
      throw error
    } finally {
      await handle.close().catch(() => {})
      await unlink(unfinished)
    }
    await sync(folder)
    return "written"
  },
  async get(name) {
    try {
      return await readFile(pathOf(directory, name))
    } catch (error) {
      if (isCode(error, "ENOENT")) return null
      throw error
    }
  },
})
