import { createHash } from "node:crypto"
import { expect, test } from "vitest"
import { signedHeaders } from "../../functions/platform/keys/aws-request.ts"
import { rulesOf, signatureFault } from "../support/aws-signature.ts"
import { SIGV4_VECTORS, type SigV4Vector } from "../support/sigv4-vectors.ts"

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

/** But for a token that was added after signing: here everything of AWS's is signed. */
const VECTORS = SIGV4_VECTORS.filter(({ omitsToken }) => !omitsToken)

/** The request of a vector as it arrives: a name in lower case, once, with all of its values. */
const arrivedOf = (vector: SigV4Vector) => {
  const { method, target, credentials, region, service, body, signature } = vector
  const at = vector.timestamp.replaceAll(/[-:]/g, "")
  const bodyHash = createHash("sha256").update(body).digest("hex")
  const sent: [string, string][] = [
    ...vector.headers,
    ["x-amz-date", at],
    ...(vector.signsBody ? [["x-amz-content-sha256", bodyHash] satisfies [string, string]] : []),
    ...(credentials.sessionToken
      ? [["x-amz-security-token", credentials.sessionToken] satisfies [string, string]]
      : []),
  ]
  const names = new Set(sent.map(([name]) => name.toLowerCase()))
  const valuesOf = (name: string) =>
    sent.flatMap(([each, value]) => (each.toLowerCase() === name ? [value.trim()] : [])).join(",")
  const scope = `${at.slice(0, 8)}/${region}/${service}/aws4_request`
  const signed = vector.canonicalRequest.split("\n").at(-2)
  const authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`
  const headers = { ...Object.fromEntries([...names].map((name) => [name, valuesOf(name)])), authorization }
  return { method, target, headers: headers as Record<string, string>, body: Buffer.from(body) }
}

test.each(VECTORS)(
  "what AWS signed in its vector $name is taken, and nothing that differs from it",
  (vector) => {
    const { credentials, region, service } = vector
    const [arrived, atMs, rules] = [arrivedOf(vector), Date.parse(vector.timestamp), rulesOf(service, region)]
    const { "x-amz-date": _, ...undated } = arrived.headers
    const late = 5 * 60_000 + 1
    expect(signatureFault(arrived, credentials, atMs, rules)).toBeNull()
    for (const altered of [
      { ...arrived, method: "DELETE" },
      { ...arrived, target: `${arrived.target.split("?")[0]}?more=1` },
      { ...arrived, body: Buffer.from("altered") },
      { ...arrived, headers: { ...arrived.headers, host: "another.example" } },
      { ...arrived, headers: { ...arrived.headers, "x-amz-more": "1" } },
      { ...arrived, headers: undated },
      { ...arrived, headers: { ...arrived.headers, authorization: "Bearer token" } },
    ])
      expect(signatureFault(altered, credentials, atMs, rules)).not.toBeNull()
    const wrongs = [
      signatureFault(arrived, { ...credentials, secretAccessKey: "another" }, atMs, rules),
      signatureFault(arrived, credentials, atMs + late, rules),
      signatureFault(arrived, credentials, atMs, rulesOf("lambda", region)),
      signatureFault(arrived, credentials, atMs, rulesOf(service, "eu-central-1")),
    ]
    expect(wrongs).toEqual([
      "SignatureDoesNotMatch",
      "RequestTimeTooSkewed",
      "SignatureDoesNotMatch",
      "SignatureDoesNotMatch",
    ])
  },
)
