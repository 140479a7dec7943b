import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  consistencyProof,
  emptyTree,
  frontierLength,
  grow,
  inclusionProof,
  rootOf,
  verifyConsistency,
  verifyInclusion,
} from "../../../core/audit/merkle.ts"

const seed = 20261121
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")

/** The leaves that implementations of certificate transparency are tested with, and the roots they make. */
const LEAVES = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
]
const ROOTS: Record<number, string> = {
  0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}

const leafAt = (place: number) => Buffer.from(`entry ${place}`)
const treeOf = (size: number) => {
  const tree = emptyTree()
  for (let place = 0; place < size; place++) grow(tree, leafAt(place))
  return tree
}

test("the tree is that of RFC 6962", () => {
  for (const [size, root] of Object.entries(ROOTS)) {
    const tree = emptyTree()
    for (const leaf of LEAVES.slice(0, Number(size))) grow(tree, Buffer.from(leaf, "hex"))
    expect(hex(rootOf(tree)), size).toBe(root)
    expect(tree.frontier.length).toBe(frontierLength(Number(size)))
  }
})

const sizes = fc.integer({ min: 1, max: 70 })

describe("a proof", () => {
  test("of inclusion leads from each entry of each tree to its root, and from no other", () => {
    for (let size = 1; size <= 33; size++) {
      const root = rootOf(treeOf(size))
      for (let place = 0; place < size; place++) {
        const proof = inclusionProof(leafAt, place, size)
        expect(verifyInclusion(proof, { entryHash: leafAt(place), place, size, root })).toBe(true)
        expect(verifyInclusion(proof, { entryHash: leafAt(place + 1), place, size, root })).toBe(false)
        if (size > 1)
          expect(
            verifyInclusion(proof, { entryHash: leafAt(place), place: (place + 1) % size, size, root }),
          ).toBe(false)
      }
    }
  })

  test("of consistency holds for each pair of trees, and not for a tree that began otherwise", () => {
    fc.assert(
      fc.property(sizes, sizes, (one, other) => {
        const [from, size] = [Math.min(one, other), Math.max(one, other)]
        const proof = consistencyProof(leafAt, from, size)
        const [first, second] = [
          { size: from, root: rootOf(treeOf(from)) },
          { size, root: rootOf(treeOf(size)) },
        ]
        expect(verifyConsistency(proof, first, second)).toBe(true)
        expect(verifyConsistency(proof, { ...first, root: rootOf(treeOf(from + 1)) }, second)).toBe(false)
        expect(verifyConsistency(proof, first, { ...second, root: rootOf(treeOf(size + 1)) })).toBe(false)
      }),
      { seed, numRuns: 300 },
    )
  })

  test("that was altered, cut short or made longer leads nowhere", () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(), (size, which, at) => {
        const place = which % size
        const root = rootOf(treeOf(size))
        const proof = inclusionProof(leafAt, place, size)
        const facts = { entryHash: leafAt(place), place, size, root }
        expect(verifyInclusion([...proof, leafAt(0)], facts)).toBe(false)
        if (proof.length === 0) return
        expect(verifyInclusion(proof.slice(1), facts)).toBe(false)
        const altered = Buffer.from(proof[at % proof.length]!)
        altered[0]! ^= 1
        expect(verifyInclusion(proof.with(at % proof.length, altered), facts)).toBe(false)
      }),
      { seed, numRuns: 200 },
    )
  })
})
