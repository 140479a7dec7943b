import { createHash, createHmac } from "node:crypto"

/** Who asks AWS: a function finds its own in its environment. */
export interface AwsCredentials {
  accessKeyId: string
  secretAccessKey: string
  sessionToken?: string | undefined
}

export interface AwsRequest {
  /** `POST` if it is not said. */
  method?: string
  /** The endpoint, the path and, encoded as {@link strictlyEncoded} does, the query. */
  url: string
  service: string
  region: string
  headers: Readonly<Record<string, string>>
  body: string | Uint8Array
}

const sha256 = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex")
const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest()

/** Percent-encoded but for what RFC 3986 leaves unreserved, as AWS signs it. */
export const strictlyEncoded = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )

/** As it is signed: sorted by name, and each name with an `=`, whether it has a value or not. */
const canonicalQuery = (search: string): string =>
  search
    .slice(1)
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => pair.split("=", 2))
    .map(([name = "", value = ""]) => ({ name, pair: `${name}=${value}` }))
    .sort((one, other) =>
      one.name === other.name ? compare(one.pair, other.pair) : compare(one.name, other.name),
    )
    .map(({ pair }) => pair)
    .join("&")

const compare = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)

/**
 * The headers of a request as AWS takes it: Signature Version 4, with every header signed
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
 */
export const signedHeaders = (
  { method = "POST", url, service, region, headers, body }: AwsRequest,
  credentials: AwsCredentials,
  now: Date,
): Record<string, string> => {
  const { host, pathname, search } = new URL(url)
  const at = now.toISOString().replaceAll(/[-:]|\.\d{3}/g, "")
  const day = at.slice(0, 8)
  const all: Record<string, string> = { host, "x-amz-date": at }
  for (const [name, value] of Object.entries(headers)) all[name.toLowerCase()] = value.trim()
  if (credentials.sessionToken) all["x-amz-security-token"] = credentials.sessionToken
  const names = Object.keys(all).sort()
  const signed = names.join(";")
  const lines = names.map((name) => `${name}:${all[name]}\n`).join("")
  const canonical = [method, pathname, canonicalQuery(search), lines, signed, sha256(body)].join("\n")
  const scope = `${day}/${region}/${service}/aws4_request`
  const toSign = ["AWS4-HMAC-SHA256", at, scope, sha256(canonical)].join("\n")
  const key = [region, service, "aws4_request"].reduce<Buffer>(
    (derived, part) => hmac(derived, part),
    hmac(`AWS4${credentials.secretAccessKey}`, day),
  )
  const signature = hmac(key, toSign).toString("hex")
  const { host: _sentByItself, ...sent } = all
  return {
    ...sent,
    authorization: `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`,
  }
}
