import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import type { IncomingHttpHeaders } from "node:http"

// Signature Version 4 from the other end, after AWS's "Signature Calculations for the Authorization Header". Apart from what
// signs, so that an error there is not made here again; both are held to AWS's own examples.

export interface Signed {
  method: string
  /** Path and query, as they came. */
  target: string
  headers: IncomingHttpHeaders
  body: Buffer
}

interface Keys {
  accessKeyId: string
  secretAccessKey: string
  sessionToken?: string | undefined
}

const HEADER =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/
const SKEW_MS = 15 * 60_000
/** What must be signed, or it could be altered on the way. */
const MUST_BE_SIGNED = /^(?:host|x-amz-|if-none-match$|content-md5$)/

const hash = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex")
const mac = (key: string | Buffer, data: string): Buffer => createHmac("sha256", key).update(data).digest()

const encoded = (text: string): string =>
  [...Buffer.from(decodeURIComponent(text))]
    .map((byte) => {
      const character = String.fromCharCode(byte)
      return /[A-Za-z0-9._~-]/.test(character)
        ? character
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
    })
    .join("")

const queryOf = (query: string): string => {
  const pairs = query === "" ? [] : query.split("&").map((pair) => pair.split("=").map(encoded))
  const sorted = pairs.map(([name = "", value = ""]) => [name, value] as const)
  sorted.sort(
    ([a, x], [b, y]) =>
      Buffer.compare(Buffer.from(a), Buffer.from(b)) || Buffer.compare(Buffer.from(x), Buffer.from(y)),
  )
  return sorted.map(([name, value]) => `${name}=${value}`).join("&")
}

/** Which of S3's errors a request comes to because of how it is signed; `null`: it is signed as it should be. */
export const signatureFault = (request: Signed, keys: Keys, nowMs: number): string | null => {
  const { method, target, headers, body } = request
  const [, id, day, region, service, names = "", signature = ""] =
    HEADER.exec(headers.authorization ?? "") ?? []
  if (id === undefined) return "AccessDenied"
  if (id !== keys.accessKeyId) return "InvalidAccessKeyId"
  if (headers["x-amz-security-token"] !== keys.sessionToken) return "InvalidToken"
  const at = String(headers["x-amz-date"])
  const atMs = Date.parse(at.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"))
  if (!(Math.abs(atMs - nowMs) <= SKEW_MS) || !at.startsWith(day!)) return "RequestTimeTooSkewed"
  const signed = names.split(";")
  if (Object.keys(headers).some((name) => MUST_BE_SIGNED.test(name) && !signed.includes(name)))
    return "AccessDenied"
  if (headers["x-amz-content-sha256"] !== hash(body)) return "XAmzContentSHA256Mismatch"
  const [path = "", query = ""] = target.split("?")
  const canonical = [
    ...[method, path.split("/").map(encoded).join("/"), queryOf(query)],
    ...signed.map(
      (name) =>
        `${name}:${String(headers[name] ?? "")
          .trim()
          .replaceAll(/ +/g, " ")}`,
    ),
    ...["", names, hash(body)],
  ].join("\n")
  const scope = `${day}/${region}/${service}/aws4_request`
  const key = mac(mac(mac(mac(`AWS4${keys.secretAccessKey}`, day!), region!), service!), "aws4_request")
  const expected = mac(key, ["AWS4-HMAC-SHA256", at, scope, hash(canonical)].join("\n"))
  return timingSafeEqual(expected, Buffer.from(signature, "hex")) ? null : "SignatureDoesNotMatch"
}
