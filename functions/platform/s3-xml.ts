/** A page of ListObjectsV2. */
export interface Listing {
  keys: string[]
  /** `null`: these were the last. */
  next: string | null
}

export interface Version {
  key: string
  id: string
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" }

const unescaped = (text: string): string =>
  text.replaceAll(/&(?:#(\d+)|#x([0-9a-fA-F]+)|([a-z]+));/g, (whole, decimal, hex, name) => {
    if (name) return ENTITIES[name] ?? whole
    return String.fromCodePoint(decimal ? Number(decimal) : Number.parseInt(hex, 16))
  })

const elements = (xml: string, name: string): string[] =>
  [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, "gs"))].map(([, inner = ""]) => inner)

const textOf = (xml: string, name: string): string | null => {
  const [found] = elements(xml, name)
  return found === undefined ? null : unescaped(found)
}

/** As it was asked for, with `encoding-type=url`: what XML cannot say comes through. */
const keyOf = (xml: string): string => decodeURIComponent((textOf(xml, "Key") ?? "").replaceAll("+", " "))

const whole = (bytes: Uint8Array, root: string): string => {
  const xml = Buffer.from(bytes).toString()
  if (!xml.includes(`<${root}`) || !xml.trimEnd().endsWith(`</${root}>`))
    throw new Error(`S3 did not send a whole ${root}`)
  return xml
}

/** Throws what is not one, to its end. */
export const readListing = (bytes: Uint8Array): Listing => {
  const xml = whole(bytes, "ListBucketResult")
  const keys = elements(xml, "Contents").map(keyOf)
  const count = textOf(xml, "KeyCount")
  if (count !== null && Number(count) !== keys.length)
    throw new Error(`S3 lists ${count} keys, of which ${keys.length} could be read`)
  if (textOf(xml, "IsTruncated") !== "true") return { keys, next: null }
  const next = textOf(xml, "NextContinuationToken")
  if (next === null) throw new Error("S3 says that there is more, and not where")
  return { keys, next }
}

/** Versions and marks of deletion, of each key the newest first. Throws what is not a whole page of them. */
export const readVersions = (bytes: Uint8Array): { versions: Version[]; isTruncated: boolean } => {
  const xml = whole(bytes, "ListVersionsResult")
  // Both in the order in which they stand.
  const versions = [...xml.matchAll(/<(Version|DeleteMarker)>(.*?)<\/\1>/gs)].map(([, , inner = ""]) => ({
    key: keyOf(inner),
    id: textOf(inner, "VersionId") ?? "null",
  }))
  return { versions, isTruncated: textOf(xml, "IsTruncated") === "true" }
}
