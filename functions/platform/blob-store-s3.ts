import { createHash } from "node:crypto"
import { type BlobStore, blobPath } from "./blob-store.ts"
import type { Clock } from "./clock.ts"
import { signedHeaders } from "./keys/aws-request.ts"

export interface S3Options {
  bucket: string
  /** The function's own: region and credentials. */
  variables: Readonly<Record<string, string | undefined>>
  clock: Clock
  /** In the place of AWS's own; the bucket then stands in the path. */
  endpoint?: string
}

const DEADLINE_MS = 5_000
const TRIES = 3

/** Two who wrote the name at the same moment: one of them has to ask again. */
const CONFLICT = 409
const THERE = 412
const MISSING = 404

const digest = (bytes: Uint8Array, form: "hex" | "base64"): string =>
  createHash("sha256").update(bytes).digest(form)

/**
 * A bucket of S3. That a name is written once is asked of S3 with each write (`If-None-Match: *`); that nobody alters or removes
 * it afterwards is the business of the bucket's Object Lock.
 */
export const s3BlobStore = ({ bucket, variables, clock, endpoint }: S3Options): BlobStore => {
  const region = variables.AWS_REGION ?? ""
  const credentials = {
    accessKeyId: variables.AWS_ACCESS_KEY_ID ?? "",
    secretAccessKey: variables.AWS_SECRET_ACCESS_KEY ?? "",
    sessionToken: variables.AWS_SESSION_TOKEN,
  }
  const base = endpoint ? `${endpoint}/${bucket}` : `https://${bucket}.s3.${region}.amazonaws.com`

  const ask = async (method: "PUT" | "GET", name: string, bytes?: Uint8Array): Promise<Response> => {
    const url = `${base}/${blobPath(name)}`
    const body = bytes ?? new Uint8Array()
    const headers = {
      "x-amz-content-sha256": digest(body, "hex"),
      // A bucket with Object Lock takes nothing without a checksum.
      ...(bytes ? { "if-none-match": "*", "x-amz-checksum-sha256": digest(bytes, "base64") } : {}),
    }
    const now = new Date(clock.nowMs())
    return await fetch(url, {
      method,
      headers: signedHeaders({ method, url, service: "s3", region, headers, body }, credentials, now),
      ...(bytes ? { body: Uint8Array.from(bytes) } : {}),
      redirect: "error",
      signal: AbortSignal.timeout(DEADLINE_MS),
    })
  }

  const refused = async (response: Response, name: string): Promise<Error> =>
    new Error(`S3 answered ${response.status} for ${name}: ${(await response.text()).slice(0, 500)}`)

  return {
    async putOnce(name, bytes) {
      for (let nth = 1; ; nth++) {
        const response = await ask("PUT", name, bytes)
        if (response.status === THERE || response.ok) await response.body?.cancel()
        if (response.status === THERE) return "there"
        if (response.ok) return "written"
        if (response.status !== CONFLICT || nth === TRIES) throw await refused(response, name)
        await response.body?.cancel()
      }
    },
    async get(name) {
      const response = await ask("GET", name)
      if (response.ok) return new Uint8Array(await response.arrayBuffer())
      if (response.status !== MISSING) throw await refused(response, name)
      await response.body?.cancel()
      return null
    },
  }
}
