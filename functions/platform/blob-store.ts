import { Refusal } from "../../core/errors.ts"

/**
 * Where what must not be altered is kept: each name is written once. On AWS that is a bucket, elsewhere a folder.
 *
 * Names are words between slashes ({@link blobPath}). Every method throws {@link Refusal} where somebody has to do something
 * before it can work (`BLOB_STORE_FULL`, `BLOB_STORE_FORBIDDEN`), and any other error where it may work the next time.
 */
export interface BlobStore {
  /** Durable when it returns. `"there"`: the name was written before, and stays what it was. */
  putOnce(name: string, bytes: Uint8Array): Promise<"written" | "there">
  /** `null`: there is nothing of that name. Of several locations, the first copy that `isWhole` holds for, if one does. */
  get(name: string, isWhole?: (bytes: Uint8Array) => boolean): Promise<Uint8Array | null>
  /** In bytes; `null`: there is nothing of that name, or not at each of several locations. */
  size(name: string): Promise<number | null>
  /** What is below a folder, `backups/acme` say, at any depth; of everything with `""`. Only what is written to its end. */
  list(folder: string, page?: BlobPage): Promise<BlobNames>
  /**
   * `"kept"`: it is locked, and stays as it was. A bucket that keeps versions may keep what was removed for a while. `forGood`:
   * nobody comes back for what is locked, so it is marked as gone, and the bucket's lifecycle destroys it after its lock.
   */
  remove(name: string, options?: { forGood?: boolean }): Promise<Removal>
}

export type Removal = "removed" | "kept" | "absent"

export interface BlobPage {
  /** Names beyond this one. */
  after?: string | undefined
  /** 1,000 if it is not said. */
  limit?: number | undefined
  /** Of several locations, each must answer: for whoever removes what is not listed, or all that is. */
  isComplete?: boolean | undefined
}

export interface BlobNames {
  /** Whole, in the order of their bytes. */
  names: readonly string[]
  /** What to ask for names after; `null` when these were the last. */
  after: string | null
}

export const BLOBS_A_PAGE = 1_000
/** The most that one name holds, so that nobody's memory is filled by what was put there. */
export const BLOB_BYTES_MAX = 64 * 1024 * 1024

const NAME = /^[a-z0-9~][A-Za-z0-9~._-]*(\/[A-Za-z0-9~_-][A-Za-z0-9~._-]*)*$/
const NAME_LENGTH_MAX = 1_000
/** What a file's name may be long, less what an unfinished one is called. */
const WORD_LENGTH_MAX = 200

export const isBlobName = (name: string): boolean =>
  NAME.test(name) &&
  !name.includes("..") &&
  name.length <= NAME_LENGTH_MAX &&
  name.split("/").every((word) => word.length <= WORD_LENGTH_MAX)

/** The name if it is one: words between slashes that need no encoding anywhere and lead nowhere else. Throws. */
export const blobPath = (name: string): string => {
  if (!isBlobName(name)) throw new Error(`"${name}" does not name a blob`)
  return name
}

/** What the names below a folder begin with. Throws. */
export const blobPrefix = (folder: string): string => {
  const path = folder.endsWith("/") ? folder.slice(0, -1) : folder
  return folder === "" ? "" : `${blobPath(path)}/`
}

/** Throws what is too large for one name. */
export const checkBlobSize = (name: string, bytes: number): void => {
  if (bytes > BLOB_BYTES_MAX)
    throw new Error(`${name} has ${bytes} bytes, of which one blob holds ${BLOB_BYTES_MAX}`)
}

/** All names below a folder, page by page. */
export async function* blobNames(
  store: Pick<BlobStore, "list">,
  folder: string,
  { isComplete = false }: Pick<BlobPage, "isComplete"> = {},
): AsyncGenerator<string> {
  let after: string | undefined
  for (;;) {
    const page = await store.list(folder, { after, isComplete })
    yield* page.names
    if (page.after === null) return
    after = page.after
  }
}

/** There is no room. Where is for the operator, in the cause: whoever reads the problem may be a tenant's. */
export const storeFull = (cause: unknown): Refusal =>
  new Refusal("BLOB_STORE_FULL", "There is no room left where archives are kept; nothing was kept.", {
    cause,
  })

/** Somebody has to allow it first. */
export const storeForbids = (verb: "written" | "read" | "removed", cause: unknown): Refusal =>
  new Refusal("BLOB_STORE_FORBIDDEN", `Nothing may be ${verb} where archives are kept.`, { cause })
