import { byteLength } from "../json.ts"

const KIB = 1_024
/** Up to this many bytes, all keys are one chunk. */
const SINGLE_BYTES_MAX = 256 * KIB
/** Beyond that, chunks of about this size. */
const CHUNK_BYTES_MAX = 64 * KIB
const BITS_MAX = 8

/** How finely to cut configuration whose canonical JSON, in one piece, is this long. Depends on nothing else. */
export const bitsFor = (bytes: number): number => {
  if (bytes <= SINGLE_BYTES_MAX) return 0
  let bits = 1
  while (bits < BITS_MAX && bytes / 2 ** bits > CHUNK_BYTES_MAX) bits++
  return bits
}

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d

/**
 * The members of a chunk, key to the text of its value, without parsing the values. Only for chunks:
 * canonical JSON of one object whose keys are config keys, which hold nothing that needs escaping.
 * Throws on text that is cut short or otherwise no chunk.
 */
export const membersOf = (chunk: string): Map<string, string> => {
  const members = new Map<string, string>()
  walk(chunk, (key, value) => {
    members.set(key, value)
    return true
  })
  return members
}

/** The text of one member's value, or `null`, without reading further than needed. */
export const memberOf = (chunk: string, key: string): string | null => {
  // Decides nearly every miss, far quicker than walking; only likenesses inside values remain.
  if (!chunk.includes(`"${key}":`)) return null
  let found: string | null = null
  walk(chunk, (name, value) => {
    if (name === key) found = value
    return found === null
  })
  return found
}

/** Visits member by member for as long as `visit` says so. */
const walk = (chunk: string, visit: (key: string, value: string) => boolean): void => {
  if (chunk === "{}") return
  let at = 0
  let before = OPEN_OBJECT
  for (;;) {
    if (chunk.charCodeAt(at) !== before || chunk.charCodeAt(at + 1) !== QUOTE) throw damaged()
    const keyEnd = chunk.indexOf('"', at + 2)
    if (keyEnd === -1 || chunk.charCodeAt(keyEnd + 1) !== COLON) throw damaged()
    const end = valueEnd(chunk, keyEnd + 2)
    if (!visit(chunk.slice(at + 2, keyEnd), chunk.slice(keyEnd + 2, end))) return
    if (end === chunk.length - 1) return
    at = end
    before = COMMA
  }
}

const damaged = (): Error => new Error("not a chunk: its text is damaged")

/** Where the value that begins at `from` ends: at the comma behind it, or at the brace that ends the chunk. */
const valueEnd = (text: string, from: number): number => {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = closingQuote(text, at)
    else if (code === OPEN_OBJECT || code === OPEN_ARRAY) depth++
    else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
      if (depth === 0 && code === CLOSE_OBJECT && at === text.length - 1 && at > from) return at
      if (depth-- === 0) throw damaged()
    } else if (code === COMMA && depth === 0 && at > from) {
      // A comma that ends the text would pass for the closing brace.
      if (at < text.length - 1) return at
    }
  }
  throw damaged()
}

const closingQuote = (text: string, from: number): number => {
  let at = from
  for (;;) {
    at = text.indexOf('"', at + 1)
    if (at === -1) throw damaged()
    let run = at
    while (text.charCodeAt(run - 1) === BACKSLASH) run--
    if ((at - run) % 2 === 0) return at
  }
}

/** Canonical JSON of one chunk. Members are sorted here; keys are config keys, values canonical JSON. */
export const chunkOf = (members: ReadonlyMap<string, string>): string => {
  const keys = sorted(members.keys())
  let text = ""
  for (const key of keys)
    text += text === "" ? `"${key}":${members.get(key)}` : `,"${key}":${members.get(key)}`
  return `{${text}}`
}

/** Sorted by UTF-16 code units; left alone when they are already, as they are in every chunk. */
export const sorted = (keys: Iterable<string>): string[] => {
  const list = [...keys]
  for (let i = 1; i < list.length; i++) if (list[i - 1]! > list[i]!) return list.sort()
  return list
}

/** Bytes that one member takes in canonical JSON, with the comma before or behind it. */
export const memberBytes = (key: string, value: string): number => key.length + 4 + byteLength(value)
