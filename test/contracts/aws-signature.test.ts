import { createHash } from "node:crypto"
import { expect, test } from "vitest"
import { signedHeaders } from "../../functions/platform/keys/aws-request.ts"
import { signatureFault } from "../support/aws-signature.ts"

// From AWS's "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk", to the letter.
const KEYS = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
const EXAMPLES = [
  {
    ...{ method: "GET", target: "/test.txt", headers: { range: "bytes=0-9" }, body: "" },
    signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  },
  {
    ...{ method: "PUT", target: "/test%24file.text", body: "Welcome to Amazon S3." },
    headers: { date: "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY" },
    signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
  },
  {
    ...{ method: "GET", target: "/?lifecycle", headers: {}, body: "" },
    signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
  },
  {
    ...{ method: "GET", target: "/?max-keys=2&prefix=J", headers: {}, body: "" },
    signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
  },
]

test.each(EXAMPLES)(
  "signs $method $target as AWS's own example does, and its peer asks for just that",
  (example) => {
    const atMs = Date.UTC(2013, 4, 24)
    const { method, target, body, signature } = example
    const host = "examplebucket.s3.amazonaws.com"
    const signed = signedHeaders(
      {
        ...{ method, url: `https://${host}${target}`, service: "s3", region: "us-east-1", body },
        headers: {
          ...example.headers,
          "x-amz-content-sha256": createHash("sha256").update(body).digest("hex"),
        },
      },
      KEYS,
      new Date(atMs),
    )
    expect(signed.authorization).toMatch(new RegExp(`Signature=${signature}$`))
    const arrived = { method, target, headers: { ...signed, host }, body: Buffer.from(body) }
    expect(signatureFault(arrived, KEYS, atMs)).toBeNull()
    for (const altered of [
      { ...arrived, method: "DELETE" },
      { ...arrived, target: `${target}x` },
      { ...arrived, headers: { ...arrived.headers, host: "another.s3.amazonaws.com" } },
    ])
      expect(signatureFault(altered, KEYS, atMs)).toBe("SignatureDoesNotMatch")
    expect(signatureFault({ ...arrived, body: Buffer.from("x") }, KEYS, atMs)).toBe(
      "XAmzContentSHA256Mismatch",
    )
  },
)
