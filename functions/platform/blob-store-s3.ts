import { createHash } from "node:crypto"
import {
  BLOBS_A_PAGE,
  type BlobStore,
  blobPath,
  blobPrefix,
  checkBlobSize,
  isBlobName,
  type Removal,
} from "./blob-store.ts"
import { type S3Answer, type S3Options, s3Requests } from "./s3-request.ts"
import { readListing, readVersions } from "./s3-xml.ts"

const BAD = 400
const FORBIDDEN = 403
const MISSING = 404
/** That a version was asked for, and it is a mark of deletion. */
const MARKED = 405
const THERE = 412

const VERSIONS_A_PAGE = 1_000
/** Not every S3 says that something is locked in the same words. */
const LOCKED = /lock|worm|retention/i

const checksum = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("base64")
const isDone = ({ status }: S3Answer): boolean => status >= 200 && status < 300

/**
 * A bucket of anything that speaks S3. That a name is written once is asked of it with each write (`If-None-Match: *`); that
 * nobody alters or removes it afterwards is the business of the bucket's Object Lock.
 */
export const s3BlobStore = (options: S3Options): BlobStore => {
  const { ask } = s3Requests(options)

  const get = async (name: string): Promise<Uint8Array | null> => {
    const headers = { "x-amz-checksum-mode": "ENABLED" }
    const answer = await ask("GET", blobPath(name), { headers, expected: [MISSING], verb: "read" })
    if (!isDone(answer)) return null
    const kept = answer.headers.get("x-amz-checksum-sha256")
    // One with a dash is made of parts, which are not written here.
    if (kept !== null && !kept.includes("-") && kept !== checksum(answer.bytes))
      throw new Error(`what S3 sent of ${name} is not what was kept`)
    return answer.bytes
  }

  const head = async (name: string, query = {}): Promise<S3Answer> =>
    await ask("HEAD", blobPath(name), { query, expected: [MISSING, MARKED], verb: "read" })

  const removal = async (name: string, query = {}): Promise<S3Answer> =>
    await ask("DELETE", blobPath(name), { query, expected: [BAD, FORBIDDEN, MISSING], verb: "removed" })

  const isLocked = async (name: string, refused: S3Answer, versionId?: string): Promise<boolean> => {
    if (LOCKED.test(Buffer.from(refused.bytes).toString())) return true
    const { headers } = await head(name, versionId === undefined ? {} : { versionId })
    const until = Date.parse(headers.get("x-amz-object-lock-retain-until-date") ?? "")
    return until > options.clock.nowMs() || headers.get("x-amz-object-lock-legal-hold") === "ON"
  }

  const removeName = async (name: string): Promise<Removal> => {
    const refused = await removal(name)
    if (isDone(refused) || refused.status === MISSING) return "removed"
    if (await isLocked(name, refused)) return "kept"
    // Asked again without a way out, so that it is told as what it is.
    await ask("DELETE", blobPath(name), { verb: "removed" })
    return "removed"
  }

  /** The oldest first, so that nothing older comes to light. */
  const removeVersions = async (name: string, isHidden: boolean, forGood: boolean): Promise<Removal> => {
    for (let isFirst = true; ; isFirst = false) {
      const query = { versions: "", "encoding-type": "url", prefix: name, "max-keys": `${VERSIONS_A_PAGE}` }
      const { versions, isTruncated } = readVersions((await ask("GET", "", { query, verb: "read" })).bytes)
      const own = versions.filter(({ key }) => key === name)
      if (own.length === 0 && isFirst) throw new Error(`S3 shows no version of ${name}, which is there`)
      for (const { id: versionId } of own.toReversed()) {
        const refused = await removal(name, { versionId })
        if (isDone(refused) || refused.status === MISSING) continue
        if (await isLocked(name, refused, versionId)) {
          if (forGood && !isHidden) await removal(name)
          return "kept"
        }
        // Its versions are left to the bucket's own lifecycle: the name is marked as gone.
        return isHidden ? "absent" : await removeName(name)
      }
      if (!isTruncated || own.length < VERSIONS_A_PAGE) return "removed"
    }
  }

  return {
    get,
    async putOnce(name, bytes) {
      checkBlobSize(name, bytes.length)
      // A bucket with Object Lock takes nothing without a checksum.
      const headers = {
        ...{ "if-none-match": "*", "x-amz-checksum-sha256": checksum(bytes) },
        "x-amz-sdk-checksum-algorithm": "SHA256",
      }
      const answer = await ask("PUT", blobPath(name), {
        ...{ headers, body: bytes, expected: [THERE], verb: "written" },
      })
      if (isDone(answer)) return "written"
      // What is there may be what an earlier try wrote before the conversation broke off.
      const isOwn = answer.afterDoubt && Buffer.compare((await get(name)) ?? Buffer.alloc(0), bytes) === 0
      return isOwn ? "written" : "there"
    },
    async size(name) {
      const { status, headers } = await head(name)
      if (status === MISSING) return null
      // Number(null) would be nought.
      const length = Number(headers.get("content-length") ?? Number.NaN)
      if (!Number.isSafeInteger(length)) throw new Error(`S3 does not say how large ${name} is`)
      return length
    },
    async list(folder, { after, limit = BLOBS_A_PAGE } = {}) {
      const names: string[] = []
      let last = after ?? ""
      let token: string | null = null
      do {
        const from: Record<string, string> = token === null ? {} : { "continuation-token": token }
        if (token === null && last !== "") from["start-after"] = last
        const query = {
          ...{ "list-type": "2", "encoding-type": "url", prefix: blobPrefix(folder) },
          ...{ "max-keys": `${Math.min(limit - names.length, BLOBS_A_PAGE)}`, ...from },
        }
        const listing = readListing((await ask("GET", "", { query, verb: "read" })).bytes)
        names.push(...listing.keys.filter(isBlobName))
        last = listing.keys.at(-1) ?? last
        token = listing.next
      } while (token !== null && names.length < limit)
      return { names, after: token === null ? null : last }
    },
    async remove(name, { forGood = false } = {}) {
      const { status, headers } = await head(name)
      const isHidden = headers.get("x-amz-delete-marker") === "true"
      if (status === MISSING && !isHidden) return "absent"
      return isHidden || headers.has("x-amz-version-id")
        ? await removeVersions(name, isHidden, forGood)
        : await removeName(name)
    },
  }
}
