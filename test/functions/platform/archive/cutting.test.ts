import { describe, expect, test } from "vitest"
import { sha256Bytes } from "../../../../core/hash.ts"
import { type Piece, pieces } from "../../../../functions/platform/archive/cutting.ts"
import { lineReader } from "../../../../functions/platform/archive/lines.ts"
import { chanceOf } from "../../../fuzz/chance.ts"
import { rowOf, someRows } from "./world.ts"

const KEY = sha256Bytes(Buffer.from("cuts"))
const PART_BYTES = 2 * 1024 * 1024

async function* each<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items
}

const cut = async (rows: Iterable<string>, key = KEY): Promise<Piece[]> => {
  const found: Piece[] = []
  for await (const piece of pieces(each(rows), key, "chunks")) found.push(piece)
  return found
}
const uncut = (found: readonly Piece[]): string[] => {
  const reader = lineReader("chunks")
  const rows = found.flatMap(({ bytes }) =>
    [...reader.lines(bytes)].map((line) => Buffer.from(line).toString()),
  )
  reader.end()
  return rows
}
const textOf = ({ bytes }: Piece) => Buffer.from(bytes).toString("latin1")
const sizes = (found: readonly Piece[]) => found.map(({ bytes }) => bytes.length)

describe("rows are cut into pieces", () => {
  test("that come to the same text, of half a megabyte on average, and never over two", async () => {
    const rows = someRows(1, 20_000, 1_200)
    const found = await cut(rows)
    const total = sizes(found).reduce((sum, bytes) => sum + bytes, 0)
    expect(total).toBe(Buffer.byteLength(`${rows.join("\n")}\n`))
    expect(total / found.length).toBeGreaterThan(300 * 1024)
    expect(total / found.length).toBeLessThan(900 * 1024)
    expect(Math.max(...sizes(found))).toBeLessThanOrEqual(PART_BYTES)
    expect(found.reduce((sum, piece) => sum + piece.rows, 0)).toBe(rows.length)
    expect(uncut(found)).toEqual(rows)
  })

  test("of which a row that is added, altered or removed alters its own and what that runs into, no other", async () => {
    const rows = someRows(2, 4_000, 1_200)
    const before = (await cut(rows)).map(textOf)
    const known = new Set(before)
    expect(before.length).toBeGreaterThan(3)
    const altered: number[] = []
    for (let nth = 0; nth < 30; nth++) {
      const chance = chanceOf(3, nth)
      const at = chance.below(rows.length)
      const [removed, added] = chance.one([
        [0, 1],
        [1, 1],
        [1, 0],
      ] as const)
      const after = rows.toSpliced(at, removed, ...(added ? [rowOf(chance, at, 900)] : []))
      altered.push((await cut(after)).filter((piece) => !known.has(textOf(piece))).length)
    }
    expect(Math.max(...altered)).toBeLessThanOrEqual(2)
    // Nearly always just the one that the row was in.
    expect(altered.filter((count) => count === 1).length).toBeGreaterThan(27)
  })

  test("in places that nobody can tell beforehand who has not the key", async () => {
    const rows = someRows(4, 5_000, 1_200)
    expect(sizes(await cut(rows, sha256Bytes(Buffer.from("another"))))).not.toEqual(sizes(await cut(rows)))
  })

  test("also inside of a row that is longer than a piece, which is no one else's", async () => {
    const long = `"${"ä".repeat(2_500_000)}"`
    const found = await cut(['{"a":1}', long, '{"b":2}'])
    expect(sizes(found)).toEqual([8, PART_BYTES, PART_BYTES, 5_000_003 - 2 * PART_BYTES, 8])
    expect(found.map((piece) => piece.rows)).toEqual([1, 0, 0, 1, 1])
    expect((await cut([long])).map(textOf)).toEqual(found.slice(1, 4).map(textOf))
    expect(uncut(found)).toEqual(['{"a":1}', long, '{"b":2}'])
  })
})

test("whoever stops reading stops what is read from", async () => {
  const state = { open: false }
  async function* rows() {
    state.open = true
    try {
      for (;;) yield `"${"x".repeat(1_000_000)}"`
    } finally {
      state.open = false
    }
  }
  for await (const _ of pieces(rows(), KEY, "chunks")) break
  expect(state.open).toBe(false)
})
