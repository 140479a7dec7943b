import { readFileSync } from "node:fs"

/** One of AWS's test vectors for Signature Version 4. */
export interface SigV4Vector {
  name: string
  signsBody: boolean
  /** The token was added after signing. */
  omitsToken: boolean
  region: string
  service: string
  timestamp: string
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string }
  method: string
  target: string
  headers: [string, string][]
  body: string
  canonicalRequest: string
  signature: string
}

/** `normalize: false`: the path is left as it is, which is S3's way alone. */
const published = JSON.parse(
  readFileSync(new URL("../golden/sigv4.json", import.meta.url), "utf8"),
) as (SigV4Vector & { normalize: boolean })[]

/** AWS's published vectors, as its own clients are held to them, but for S3's own ways. */
export const SIGV4_VECTORS: readonly SigV4Vector[] = published.filter(({ normalize }) => normalize)
