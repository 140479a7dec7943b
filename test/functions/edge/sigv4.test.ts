import { expect, test } from "vitest"
import {
  amzDate,
  canonicalRequest,
  createSigner,
  encodedQuery,
  sha256Hex,
} from "../../../functions/edge/sigv4.ts"
import { SIGV4_VECTORS } from "../../support/sigv4-vectors.ts"

test.each(SIGV4_VECTORS)("AWS's vector $name is signed as AWS signs it", async (vector) => {
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
