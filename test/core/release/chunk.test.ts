import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { canonical } from "../../../core/json.ts"
import { bitsFor, chunkOf, memberBytes, memberOf, membersOf } from "../../../core/release/chunk.ts"
import { jsonValues } from "../json-values.ts"

const seed = 20261104
const keys = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,8}$/)
const members = fc.dictionary(keys, jsonValues(4), { maxKeys: 12 }).map((record) => ({ ...record }))

describe("a chunk", () => {
  test("is cut into the members it was made of, without parsing them", () => {
    fc.assert(
      fc.property(members, (record) => {
        const parts = new Map(Object.entries(record).map(([key, value]) => [key, canonical(value)]))
        const text = chunkOf(parts)
        expect(text).toBe(canonical(record))
        expect(membersOf(text)).toEqual(parts)
        for (const [key, value] of parts) expect(memberOf(text, key)).toBe(value)
        expect(memberOf(text, "absent")).toBe(parts.get("absent") ?? null)
      }),
      { seed, numRuns: 1_000 },
    )
  })

  test("is as long as its members say", () => {
    fc.assert(
      fc.property(members, (record) => {
        const sizes = Object.entries(record).map(([key, value]) => memberBytes(key, canonical(value)))
        if (sizes.length > 0)
          expect(sizes.reduce((sum, size) => sum + size, 1)).toBe(Buffer.byteLength(canonical(record)))
      }),
      { seed, numRuns: 300 },
    )
  })

  test.each(["", "{", '{"a"', '{"a":', '{"a":1', '{"a":"x', '{"a":1,', "null", '{"a":1}}', '[{"a":1}]'])(
    "%j is none",
    (text) => {
      expect(() => membersOf(text)).toThrow("not a chunk")
    },
  )
})

test("the number of chunks grows with the bytes, from one to 256", () => {
  const KIB = 1_024
  expect([0, 2, 256 * KIB].map(bitsFor)).toEqual([0, 0, 0])
  expect([256 * KIB + 1, 512 * KIB, 512 * KIB + 1, 4_096 * KIB].map(bitsFor)).toEqual([3, 3, 4, 6])
  expect(bitsFor(1_024 * 4_096 * KIB)).toBe(8)
})
