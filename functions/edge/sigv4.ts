// Signature Version 4: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

export interface SigningKey {
  accessKeyId: string
  secretAccessKey: string
  /** Of temporary credentials. */
  sessionToken?: string | undefined
  region: string
  service: string
}

/** What is signed of a request, as it is sent. */
export interface Signable {
  method: string
  /** Percent-encoded as it is sent. */
  path: string
  /** Without its question mark. */
  query: string
  /** Those that are signed, `host` among them. */
  headers: readonly (readonly [name: string, value: string])[]
  /** SHA-256 of the body, hex. */
  bodyHash: string
}

const encoder = new TextEncoder()

const hexOf = (bytes: ArrayBuffer): string =>
  [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("")

export const sha256Hex = async (data: string | Uint8Array<ArrayBuffer>): Promise<string> =>
  hexOf(await crypto.subtle.digest("SHA-256", typeof data === "string" ? encoder.encode(data) : data))

const hmac = async (key: ArrayBuffer | Uint8Array<ArrayBuffer>, text: string): Promise<ArrayBuffer> => {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ])
  return await crypto.subtle.sign("HMAC", imported, encoder.encode(text))
}

/** But for what RFC 3986 leaves unreserved. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text.replaceAll("+", " "))
  } catch {
    return text
  }
}

/** Each pair as AWS encodes it, in the order they came in: what is sent, so that both sides read the same. */
export const encodedQuery = (query: string): string =>
  query
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const at = pair.indexOf("=")
      const [name, value] = at === -1 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + 1)]
      return `${encoded(decoded(name))}=${encoded(decoded(value))}`
    })
    .join("&")

/** Sorted by name, and by value where names are the same. */
const canonicalQuery = (query: string): string =>
  encodedQuery(query)
    .split("&")
    .map((pair) => pair.split("=") as [string, string])
    .sort(([one, oneValue], [other, otherValue]) =>
      one === other ? compare(oneValue, otherValue) : compare(one, other),
    )
    .map((pair) => pair.join("="))
    .join("&")

const compare = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)

/** Without dots and empty segments, and encoded once more than it is sent. */
const canonicalPath = (path: string): string => {
  const segments: string[] = []
  for (const segment of path.split("/"))
    if (segment === "..") segments.pop()
    else if (segment !== "" && segment !== ".") segments.push(encoded(segment))
  const end = segments.length > 0 && path.endsWith("/") ? "/" : ""
  return `/${segments.join("/")}${end}`
}

const canonicalHeaders = (headers: Signable["headers"]): Map<string, string> => {
  const lines = new Map<string, string>()
  for (const [name, value] of headers) {
    const lower = name.toLowerCase()
    const trimmed = value.trim().replaceAll(/\s+/g, " ")
    const before = lines.get(lower)
    lines.set(lower, before === undefined ? trimmed : `${before},${trimmed}`)
  }
  return new Map([...lines].sort(([one], [other]) => compare(one, other)))
}

/** What is hashed, and which headers it names. */
export const canonicalRequest = ({
  method,
  path,
  query,
  headers,
  bodyHash,
}: Signable): { text: string; names: string } => {
  const lines = canonicalHeaders(headers)
  const names = [...lines.keys()].join(";")
  const listed = [...lines].map(([name, value]) => `${name}:${value}\n`).join("")
  const parts = [
    method,
    canonicalPath(path),
    query === "" ? "" : canonicalQuery(query),
    listed,
    names,
    bodyHash,
  ]
  return { text: parts.join("\n"), names }
}

/** `20150830T123600Z`: how AWS writes a time. */
export const amzDate = (now: Date): string => now.toISOString().replaceAll(/[-:]|\.\d{3}/g, "")

/** The value of the Authorization header. The key of the day is derived once. */
export const createSigner = (signing: SigningKey): ((signable: Signable, now: Date) => Promise<string>) => {
  const { accessKeyId, secretAccessKey, region, service } = signing
  let derived: { day: string; key: Promise<ArrayBuffer> } | null = null

  const deriveKey = async (day: string): Promise<ArrayBuffer> => {
    let key = await hmac(encoder.encode(`AWS4${secretAccessKey}`), day)
    for (const part of [region, service, "aws4_request"]) key = await hmac(key, part)
    return key
  }

  return async (signable, now) => {
    const at = amzDate(now)
    const day = at.slice(0, 8)
    if (derived?.day !== day) derived = { day, key: deriveKey(day) }
    const { text, names } = canonicalRequest(signable)
    const scope = `${day}/${region}/${service}/aws4_request`
    const toSign = ["AWS4-HMAC-SHA256", at, scope, await sha256Hex(text)].join("\n")
    const signature = hexOf(await hmac(await derived.key, toSign))
    return `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`
  }
}
