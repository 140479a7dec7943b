import { sha256Bytes } from "../hash.ts"

// Merkle trees as in RFC 6962, section 2.1, over the hashes of a chain's entries.

const LEAF = Uint8Array.of(0)
const NODE = Uint8Array.of(1)
export const HASH_BYTES = 32

const leafHash = (entryHash: Uint8Array): Uint8Array => sha256Bytes(LEAF, entryHash)
const nodeHash = (left: Uint8Array, right: Uint8Array): Uint8Array => sha256Bytes(NODE, left, right)

const isSame = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, at) => byte === other[at])

/** A tree that only grows: its size, and the hashes of the perfect subtrees it consists of, largest first. */
export interface Tree {
  size: number
  frontier: Uint8Array[]
}

export const emptyTree = (): Tree => ({ size: 0, frontier: [] })

/** How many perfect subtrees a tree of this size consists of. Sizes go beyond 32 bits. */
export const frontierLength = (size: number): number => {
  let ones = 0
  for (let left = size; left > 0; left = Math.floor(left / 2)) ones += left % 2
  return ones
}

/** Adds one entry to the tree. */
export const grow = (tree: Tree, entryHash: Uint8Array): void => {
  let hash = leafHash(entryHash)
  for (let left = tree.size; left % 2 === 1; left = (left - 1) / 2)
    hash = nodeHash(tree.frontier.pop()!, hash)
  tree.frontier.push(hash)
  tree.size++
}

/** The root, which is the hash of nothing for a tree of nothing. */
export const rootOf = ({ frontier }: Tree): Uint8Array =>
  frontier.length === 0 ? sha256Bytes() : frontier.reduceRight((right, left) => nodeHash(left, right))

/** The greatest power of two below `size`. */
const splitOf = (size: number): number => {
  let split = 1
  while (split * 2 < size) split *= 2
  return split
}

/** The hash of the entry at that place, counted from 0. */
export type HashAt = (place: number) => Uint8Array

const subtree = (hashAt: HashAt, from: number, to: number): Uint8Array => {
  const tree = emptyTree()
  for (let place = from; place < to; place++) grow(tree, hashAt(place))
  return rootOf(tree)
}

/** `PATH(place, size)` of RFC 6962, section 2.1.1: that the entry at `place`, counted from 0, is in the tree. */
export const inclusionProof = (hashAt: HashAt, place: number, size: number): Uint8Array[] => {
  const path = (from: number, to: number): Uint8Array[] => {
    if (to - from === 1) return []
    const middle = from + splitOf(to - from)
    return place < middle
      ? [...path(from, middle), subtree(hashAt, middle, to)]
      : [...path(middle, to), subtree(hashAt, from, middle)]
  }
  return path(0, size)
}

/** `PROOF(from, size)` of RFC 6962, section 2.1.2: that a tree of `size` begins with the tree of `from`. */
export const consistencyProof = (hashAt: HashAt, from: number, size: number): Uint8Array[] => {
  const proof = (start: number, end: number, isWhole: boolean): Uint8Array[] => {
    if (from === end) return isWhole ? [] : [subtree(hashAt, start, end)]
    const middle = start + splitOf(end - start)
    return from <= middle
      ? [...proof(start, middle, isWhole), subtree(hashAt, middle, end)]
      : [...proof(middle, end, false), subtree(hashAt, start, middle)]
  }
  return from === 0 || from === size ? [] : proof(0, size, true)
}

/** Does the proof lead from the entry at `place` to the root? RFC 9162, section 2.1.3.2. */
export const verifyInclusion = (
  proof: readonly Uint8Array[],
  { entryHash, place, size, root }: { entryHash: Uint8Array; place: number; size: number; root: Uint8Array },
): boolean => {
  if (!(place >= 0 && place < size)) return false
  let [node, last] = [place, size - 1]
  let hash = leafHash(entryHash)
  for (const part of proof) {
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(part, hash)
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)]
    } else hash = nodeHash(hash, part)
    ;[node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  }
  return last === 0 && isSame(hash, root)
}

/** Does the second tree begin with the first? RFC 9162, section 2.1.4.2. */
export const verifyConsistency = (
  proof: readonly Uint8Array[],
  first: { size: number; root: Uint8Array },
  second: { size: number; root: Uint8Array },
): boolean => {
  if (first.size > second.size) return false
  if (first.size === second.size) return proof.length === 0 && isSame(first.root, second.root)
  if (first.size === 0) return proof.length === 0 && isSame(first.root, sha256Bytes())
  const isPowerOfTwo = frontierLength(first.size) === 1
  const [start, ...rest] = isPowerOfTwo ? [first.root, ...proof] : proof
  if (start === undefined) return false
  let [node, last] = [first.size - 1, second.size - 1]
  while (node % 2 === 1) [node, last] = [(node - 1) / 2, Math.floor(last / 2)]
  let [old, now] = [start, start]
  for (const part of rest) {
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      ;[old, now] = [nodeHash(part, old), nodeHash(part, now)]
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)]
    } else now = nodeHash(now, part)
    ;[node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  }
  return last === 0 && isSame(old, first.root) && isSame(now, second.root)
}
