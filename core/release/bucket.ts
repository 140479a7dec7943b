/** Weights and buckets are integers in basis points: 10,000 is everyone. */
export const FULL_BP = 10_000

const C1 = 0xcc9e2d51
const C2 = 0x1b873593
const encoder = new TextEncoder()

const mixed = (k: number): number => {
  const once = Math.imul(k, C1)
  return Math.imul((once << 15) | (once >>> 17), C2)
}
const next = (hash: number, k: number): number => {
  const block = hash ^ mixed(k)
  return (Math.imul((block << 13) | (block >>> 19), 5) + 0xe6546b64) | 0
}
const finished = (state: number, length: number): number => {
  let hash = state ^ length
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** MurmurHash3, x86, 32 bits, over the UTF-8 of `text` (Austin Appleby's public-domain algorithm). */
export const murmur3 = (text: string, seed = 0): number => {
  const { length } = text
  const blocks = length & ~3
  let hash = seed
  // Every character a byte: what nearly every key is made of needs no encoding.
  let all = 0
  for (let i = 0; i < blocks; i += 4) {
    const [a, b] = [text.charCodeAt(i), text.charCodeAt(i + 1)]
    const [c, d] = [text.charCodeAt(i + 2), text.charCodeAt(i + 3)]
    all |= a | b | c | d
    hash = next(hash, a | (b << 8) | (c << 16) | (d << 24))
  }
  let tail = 0
  for (let i = length - 1; i >= blocks; i--) {
    const code = text.charCodeAt(i)
    all |= code
    tail = (tail << 8) | code
  }
  if (all > 0x7f) return ofBytes(encoder.encode(text), seed)
  return finished(length > blocks ? hash ^ mixed(tail) : hash, length)
}

const ofBytes = (bytes: Uint8Array, seed: number): number => {
  const blocks = bytes.length & ~3
  let hash = seed
  for (let i = 0; i < blocks; i += 4)
    hash = next(hash, bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24))
  let tail = 0
  for (let i = bytes.length - 1; i >= blocks; i--) tail = (tail << 8) | bytes[i]!
  return finished(bytes.length > blocks ? hash ^ mixed(tail) : hash, bytes.length)
}

/** Where `unit` stands for this change, 0 to 9,999. No unit stands last, so it moves only at full weight. */
export const bucket = (changeId: string, unit: string | null): number =>
  unit === null ? FULL_BP - 1 : Math.floor((murmur3(`${changeId}/${unit}`) * FULL_BP) / 0x1_0000_0000)

/** Does `unit` get the candidate? The salt is the change's id, so a growing weight never moves anyone back. */
export const getsCandidate = (changeId: string, unit: string | null, weightBp: number): boolean =>
  bucket(changeId, unit) < weightBp

/** Which of `2 ** bits` chunks a key lives in. */
export const chunkIndex = (key: string, bits: number): number =>
  bits === 0 ? 0 : murmur3(key) >>> (32 - bits)
