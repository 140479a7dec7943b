/** Weights and buckets are integers in basis points: 10,000 is everyone. */
export const FULL_BP = 10_000

const mixed = (k: number): number => {
  const once = Math.imul(k, 0xcc9e2d51)
  return Math.imul((once << 15) | (once >>> 17), 0x1b873593)
}

const encoder = new TextEncoder()

/** Every character seen last, over one another: those of 7 bits are bytes as they are. */
let seen = 0

/** Goes on from `state` and `shift` bits of a block, over a text whose characters are bytes, to before the last step. */
const scan = (state: number, begun: number, shift: number, text: string): number => {
  let hash = state
  let block = begun
  let bits = shift
  let all = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    all |= code
    block |= code << bits
    bits += 8
    if (bits === 32) {
      hash ^= mixed(block)
      hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0
      block = 0
      bits = 0
    }
  }
  seen = all
  return hash ^ mixed(block)
}

const finished = (state: number, length: number): number => {
  let hash = state ^ length
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

const hashed = (text: string, seed: number): number => {
  const state = scan(seed, 0, 0, text)
  if (seen < 0x80) return finished(state, text.length)
  let bytes = ""
  for (const byte of encoder.encode(text)) bytes += String.fromCharCode(byte)
  return finished(scan(seed, 0, 0, bytes), bytes.length)
}

/** MurmurHash3, x86, 32 bits, over the UTF-8 of `text` (Austin Appleby's public-domain algorithm). */
export const murmur3 = (text: string, seed = 0): number => hashed(text, seed) >>> 0

/** The same of `prefix` and a text, as a signed integer: it takes no memory, and the prefix is hashed once. */
export const murmur3After = (prefix: string): ((text: string) => number) => {
  const { length } = prefix
  const whole = length & ~3
  scan(0, 0, 0, prefix)
  const isAscii = seen < 0x80
  const state = scan(0, 0, 0, prefix.slice(0, whole))
  let block = 0
  for (let i = length; i-- > whole; ) block = (block << 8) | prefix.charCodeAt(i)
  const bits = (length - whole) * 8
  return (text) => {
    const last = scan(state, block, bits, text)
    return isAscii && seen < 0x80 ? finished(last, length + text.length) : hashed(prefix + text, 0)
  }
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
