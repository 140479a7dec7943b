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

/** Where AWS's services differ. */
export interface SignatureRules {
  /** Whose key it has to be, where the peer looks at that by itself; `null`: it looks elsewhere. */
  scope: { region: string; service: string } | null
  skewMs: number
  /** What must be signed, or it could be altered on the way. */
  mustBeSigned: RegExp
  /** S3 takes a path as it is; every other service without dots and empty segments, and encoded once more than it is sent. */
  path: (sent: string) => string
  /** S3 wants to be told the body's hash; every other service takes one it makes itself, too. */
  wantsBodyHash: boolean
}

const hash = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex")
const mac = (key: string | Buffer, data: string): Buffer => createHmac("sha256", key).update(data).digest()

const encodedBytes = (text: string): string =>
  [...Buffer.from(text)]
    .map((byte) => {
      const character = String.fromCharCode(byte)
      return /[A-Za-z0-9._~-]/.test(character)
        ? character
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
    })
    .join("")

const encoded = (text: string): string => encodedBytes(decodeURIComponent(text))

const S3: SignatureRules = {
  scope: null,
  skewMs: 15 * 60_000,
  mustBeSigned: /^(?:host|x-amz-|if-none-match$|content-md5$)/,
  path: (sent) => sent.split("/").map(encoded).join("/"),
  wantsBodyHash: true,
}

/** RFC 3986, section 5.2.4, and then each segment encoded as it stands. */
const normalised = (sent: string): string => {
  const kept: string[] = []
  for (const segment of sent.split("/")) {
    if (segment === "..") kept.pop()
    else if (segment !== "" && segment !== ".") kept.push(encodedBytes(segment))
  }
  const isFolder = kept.length > 0 && sent.endsWith("/")
  return `/${kept.join("/")}${isFolder ? "/" : ""}`
}

/** As all of AWS but S3 has it: five minutes, for one service in one region. */
export const rulesOf = (service: string, region: string): SignatureRules => ({
  scope: { region, service },
  skewMs: 5 * 60_000,
  mustBeSigned: /^(?:host$|x-amz-)/,
  path: normalised,
  wantsBodyHash: false,
})

const queryOf = (query: string): string => {
  const pairs = query === "" ? [] : query.split("&").map((pair) => pair.split("=").map(encoded))
  const sorted = pairs.map(([name = "", value = ""]) => [name, value] as const)
  sorted.sort(
    ([a, x], [b, y]) =>
      Buffer.compare(Buffer.from(a), Buffer.from(b)) || Buffer.compare(Buffer.from(x), Buffer.from(y)),
  )
  return sorted.map(([name, value]) => `${name}=${value}`).join("&")
}

/** Which of AWS's errors, as S3 calls them, a request comes to because of how it is signed; `null`: it is signed as it should be. */
export const signatureFault = (
  request: Signed,
  keys: Keys,
  nowMs: number,
  rules: SignatureRules = S3,
): string | null => {
  const { method, target, headers, body } = request
  const [, id, day, region, service, names = "", signature = ""] =
    HEADER.exec(headers.authorization ?? "") ?? []
  if (id === undefined) return "AccessDenied"
  if (id !== keys.accessKeyId) return "InvalidAccessKeyId"
  if (headers["x-amz-security-token"] !== keys.sessionToken) return "InvalidToken"
  const at = String(headers["x-amz-date"])
  const atMs = Date.parse(at.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"))
  if (rules.scope !== null && (region !== rules.scope.region || service !== rules.scope.service))
    return "SignatureDoesNotMatch"
  if (!(Math.abs(atMs - nowMs) <= rules.skewMs) || !at.startsWith(day!)) return "RequestTimeTooSkewed"
  const signed = names.split(";")
  if (Object.keys(headers).some((name) => rules.mustBeSigned.test(name) && !signed.includes(name)))
    return "AccessDenied"
  const told = headers["x-amz-content-sha256"]
  if (told === undefined ? rules.wantsBodyHash : told !== hash(body)) return "XAmzContentSHA256Mismatch"
  const [path = "", query = ""] = target.split("?")
  const canonical = [
    ...[method, rules.path(path), queryOf(query)],
    ...signed.map(
      (name) =>
        `${name}:${String(headers[name] ?? "")
          .trim()
          .replaceAll(/\s+/g, " ")}`,
    ),
    ...["", names, hash(body)],
  ].join("\n")
  const scope = `${day}/${region}/${service}/aws4_request`
  const key = mac(mac(mac(mac(`AWS4${keys.secretAccessKey}`, day!), region!), service!), "aws4_request")
  const expected = mac(key, ["AWS4-HMAC-SHA256", at, scope, hash(canonical)].join("\n"))
  return timingSafeEqual(expected, Buffer.from(signature, "hex")) ? null : "SignatureDoesNotMatch"
}
