import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import {
  amzDate,
  canonicalRequest,
  createSigner,
  encodedQuery,
  sha256Hex,
} from "../../../functions/edge/sigv4.ts"

interface Vector {
  name: string
  /** `false`: the path is left as it is, which is S3's way alone. */
  normalize: boolean
  signsBody: boolean
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

/** AWS's published test vectors for Signature Version 4, as its own clients are held to them. */
const VECTORS = (
  JSON.parse(readFileSync(new URL("../../golden/sigv4.json", import.meta.url), "utf8")) as Vector[]
).filter(({ normalize }) => normalize)

test.each(VECTORS)("AWS's vector $name is signed as AWS signs it", async (vector) => {
  const { credentials, method, target, body, timestamp, region, service } = vector
  const now = new Date(timestamp)
  const bodyHash = await sha256Hex(body)
  const at = target.indexOf("?")
  const headers: [string, string][] = [...vector.headers, ["x-amz-date", amzDate(now)]]
  if (vector.signsBody) headers.push(["x-amz-content-sha256", bodyHash])
  if (credentials.sessionToken && !vector.omitsToken)
    headers.push(["x-amz-security-token", credentials.sessionToken])
  const signable = {
    method,
    path: at === -1 ? target : target.slice(0, at),
    query: at === -1 ? "" : target.slice(at + 1),
    headers,
    bodyHash,
  }
  expect(canonicalRequest(signable).text).toBe(vector.canonicalRequest)
  const authorization = await createSigner({ ...credentials, region, service })(signable, now)
  expect(authorization.slice(-64)).toBe(vector.signature)
})

test("what is sent of a query means what came, in AWS's encoding and in its order", () => {
  expect(encodedQuery("b=1&a=x+y&a=%c3%a4&at=10:00&flag&%zz=1")).toBe(
    "b=1&a=x%20y&a=%C3%A4&at=10%3A00&flag=&%25zz=1",
  )
})
