import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { Refusal } from "../../../core/errors.ts"
import type { ChunkId, ConfigKey } from "../../../core/ids.ts"
import { byteLength, canonical, type Json } from "../../../core/json.ts"
import { chunkIndex } from "../../../core/release/bucket.ts"
import {
  allEntries,
  chunksFor,
  compile,
  EMPTY_CHUNK,
  EMPTY_RELEASE,
  readEntry,
  releaseIdOf,
} from "../../../core/release/compile.ts"
import type { Entry, EntryEdit, Release } from "../../../core/release/release.ts"
import { jsonValues } from "../json-values.ts"

const seed = 20261103
const KIB = 1_024

const key = (text: string) => text as ConfigKey
const set = (name: string, value: Json, version = 1): EntryEdit => ({
  key: key(name),
  entry: { value, version },
})
const drop = (name: string): EntryEdit => ({ key: key(name), entry: null })

/** A store of chunks that grows, and the release last compiled. */
const history = () => {
  const chunks = new Map<ChunkId, string>()
  let release: Release = EMPTY_RELEASE
  return {
    chunks,
    get release() {
      return release
    },
    edit: (edits: readonly EntryEdit[]) => {
      const compiled = compile(release, chunks, edits)
      if (compiled.kind !== "compiled") throw new Error(compiled.kind)
      for (const { id, text } of compiled.chunks) chunks.set(id, text)
      release = compiled.release
      return compiled
    },
  }
}

const compiledFrom = (edits: readonly EntryEdit[]) => {
  const world = history()
  world.edit(edits)
  return world
}

const keys = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,12}$/).map(key)
const entries: fc.Arbitrary<Entry> = fc
  .record({
    value: jsonValues(3),
    version: fc.integer({ min: 1, max: 1_000 }),
    locked: fc.option(fc.constant(true as const), { nil: undefined }),
    schema: fc.option(fc.constant({ type: "string" } as Json), { nil: undefined }),
  })
  .map(({ value, version, locked, schema }) => ({
    value,
    version,
    ...(locked ? { locked } : {}),
    ...(schema === undefined ? {} : { schema }),
  }))
const contents = fc.uniqueArray(fc.tuple(keys, entries), { selector: ([name]) => name, maxLength: 30 })

/** About 400 KiB in `count` keys: cut into chunks. */
const large = (count: number, bytes = 400 * KIB): EntryEdit[] =>
  Array.from({ length: count }, (_, i) => set(`key.${i}`, "x".repeat(bytes / count)))

describe("a release", () => {
  test("gives back what was put in, key by key and all at once", () => {
    fc.assert(
      fc.property(contents, (content) => {
        const { release, chunks } = compiledFrom(content.map(([name, entry]) => ({ key: name, entry })))
        for (const [name, entry] of content) expect(readEntry(release.manifest, chunks, name)).toEqual(entry)
        expect(allEntries(release.manifest, chunks)).toEqual(new Map(content))
        expect(release.manifest.keys).toBe(content.length)
        expect(readEntry(release.manifest, chunks, key("absent-absent-absent"))).toBeNull()
      }),
      { seed, numRuns: 300 },
    )
  })

  test("has an id that depends on its content alone, whatever way led to it", () => {
    const edits = fc.array(fc.tuple(keys, fc.option(entries, { nil: null })), { maxLength: 40 })
    fc.assert(
      fc.property(edits, fc.integer({ min: 1, max: 7 }), (steps, size) => {
        const content = new Map<ConfigKey, Entry>()
        const slow = history()
        for (let at = 0; at < steps.length; at += size) {
          const part = steps.slice(at, at + size)
          for (const [name, entry] of part) entry ? content.set(name, entry) : content.delete(name)
          slow.edit(part.map(([name, entry]) => ({ key: name, entry })))
        }
        const direct = compiledFrom([...content].reverse().map(([name, entry]) => ({ key: name, entry })))
        expect(slow.release).toEqual(direct.release)
        expect(allEntries(slow.release.manifest, slow.chunks)).toEqual(content)
      }),
      { seed, numRuns: 300 },
    )
  })

  test("keeps that id across chunking sizes, grown and shrunk again", () => {
    const start = compiledFrom([set("a", 1), set("b", 2)])
    const { release: before } = start
    start.edit(large(300))
    expect(start.release.manifest.bits).toBe(3)
    expect(start.release).toEqual(compiledFrom([...large(300), set("b", 2), set("a", 1)]).release)
    start.edit(large(300).map(({ key: name }) => drop(name)))
    expect(start.release).toEqual(before)
    start.edit([drop("a"), drop("b")])
    expect(start.release).toEqual(EMPTY_RELEASE)
  })

  test("is addressed by its manifest, and its chunks by their text", () => {
    const { release, chunks } = compiledFrom(large(300))
    expect(releaseIdOf(release.manifest)).toBe(release.id)
    for (const [id, text] of chunks) {
      expect(id).toMatch(/^[0-9a-f]{64}$/)
      expect(canonical(JSON.parse(text))).toBe(text)
    }
    expect(releaseIdOf({ ...release.manifest, keys: release.manifest.keys + 1 })).not.toBe(release.id)
  })

  test("counts its bytes truly, also with empty chunks and text beyond ASCII", () => {
    const world = compiledFrom([set("a", "x".repeat(200 * KIB)), set("b", "é😀".repeat(20 * KIB))])
    for (const edits of [
      [set("c", "ö")],
      [drop("a")],
      [set("d", "y".repeat(230 * KIB))],
      [drop("c"), drop("d")],
    ]) {
      world.edit(edits)
      const { chunks, bytes } = world.release.manifest
      const texts = chunks.map((id) => (id === EMPTY_CHUNK.id ? "{}" : world.chunks.get(id)!))
      expect(texts.reduce((sum, text) => sum + byteLength(text), 0)).toBe(bytes)
    }
  })

  test("holds nothing that an entry has no place for", () => {
    const stray = { value: 1, version: 1, locked: false, note: "secret" } as unknown as Entry
    const { release } = compiledFrom([{ key: key("a"), entry: stray }])
    expect(release).toEqual(compiledFrom([set("a", 1)]).release)
  })

  test("takes the last of several edits of one key", () => {
    expect(compiledFrom([set("a", 1), set("a", 2), drop("b")]).release).toEqual(
      compiledFrom([set("a", 2)]).release,
    )
  })

  test("is what it was when nothing is edited", () => {
    expect(compile(EMPTY_RELEASE, new Map(), [])).toEqual({
      kind: "compiled",
      release: EMPTY_RELEASE,
      chunks: [],
    })
    const { release, chunks } = compiledFrom(large(300))
    expect(compile(release, chunks, [])).toEqual({ kind: "compiled", release, chunks: [] })
    expect(compile(release, chunks, large(300).slice(0, 1))).toEqual({
      kind: "compiled",
      release,
      chunks: [],
    })
  })
})

describe("chunks", () => {
  test("are one up to 256 KiB, and at most about 64 KiB each beyond", () => {
    // {"a":{"value":"…","version":1}} is 30 bytes around its text.
    const atLimit = compiledFrom([set("a", "x".repeat(256 * KIB - 30))])
    expect(atLimit.release.manifest).toMatchObject({ bits: 0, bytes: 256 * KIB })
    const beyond = compiledFrom([set("a", "x".repeat(256 * KIB - 29))])
    expect(beyond.release.manifest.bits).toBe(3)
    expect(beyond.release.manifest.chunks).toHaveLength(8)
    expect(compiledFrom(large(2_000, 500 * KIB)).release.manifest.bits).toBe(4)
    expect(compiledFrom(large(2_000, 3_900 * KIB)).release.manifest.bits).toBe(6)
  })

  test("hold each key where its hash says", () => {
    const { release, chunks } = compiledFrom(large(500))
    for (const [index, id] of release.manifest.chunks.entries())
      for (const name of Object.keys(JSON.parse(chunks.get(id)!) as object))
        expect(chunkIndex(name, release.manifest.bits)).toBe(index)
  })

  test("are rewritten one for one edited key, and only that one is needed", () => {
    const { release, chunks } = compiledFrom(large(1_000))
    const needed = chunksFor(release.manifest, [key("key.7")])
    expect(needed.size).toBe(1)
    const only = new Map([...chunks].filter(([id]) => needed.has(id)))
    const compiled = compile(release, only, [set("key.7", "new", 2)])
    if (compiled.kind !== "compiled") throw new Error(compiled.kind)
    expect(compiled.chunks).toHaveLength(1)
    const kept = compiled.release.manifest.chunks.filter((id) => release.manifest.chunks.includes(id))
    expect(kept).toHaveLength(release.manifest.chunks.length - 1)
    expect(
      readEntry(
        compiled.release.manifest,
        new Map([[compiled.chunks[0]!.id, compiled.chunks[0]!.text]]),
        key("key.7"),
      ),
    ).toEqual({ value: "new", version: 2 })
  })

  test("are asked for when one is missing, or all when the size changes", () => {
    const { release, chunks } = compiledFrom(large(1_000))
    expect(compile(release, new Map(), [set("key.7", 1)])).toEqual({ kind: "needs_all_chunks" })
    const needed = chunksFor(release.manifest, [key("key.7")])
    const only = new Map([...chunks].filter(([id]) => needed.has(id)))
    expect(compile(release, only, [set("key.7", "x".repeat(250 * KIB))])).toEqual({
      kind: "needs_all_chunks",
    })
    expect(compile(release, chunks, [set("key.7", "x".repeat(250 * KIB))])).toMatchObject({
      kind: "compiled",
    })
  })

  test("without a key are known to everyone, and listed by whoever needs them first", () => {
    const compiled = compile(EMPTY_RELEASE, new Map(), [set("a", "x".repeat(256 * KIB))])
    if (compiled.kind !== "compiled") throw new Error(compiled.kind)
    expect(compiled.chunks.map(({ id }) => id)).toContain(EMPTY_CHUNK.id)
    const full = new Map(
      compiled.chunks.filter(({ id }) => id !== EMPTY_CHUNK.id).map(({ id, text }) => [id, text]),
    )
    expect(allEntries(compiled.release.manifest, full).size).toBe(1)
  })

  test("that are missing or damaged are never read as empty", () => {
    const { release, chunks } = compiledFrom([set("a", 1), set("b", 2)])
    expect(() => readEntry(release.manifest, new Map(), key("a"))).toThrow("was not loaded")
    expect(() => allEntries(release.manifest, new Map())).toThrow("was not loaded")
    const [id] = release.manifest.chunks
    const text = chunks.get(id!)!
    for (let end = 0; end < text.length; end++)
      expect(() => compile(release, new Map([[id!, text.slice(0, end)]]), [set("a", 3)])).toThrow(
        "not a chunk",
      )
  })

  test("are searched for a key, not for its likeness inside a value", () => {
    const trap = { inner: { a: 1, "b.c": [{ a: '"a":{"value":3}' }] } }
    const { release, chunks } = compiledFrom([set("z", trap), set("aa", '"a":'), set("b", '\\"a":')])
    expect(readEntry(release.manifest, chunks, key("a"))).toBeNull()
    expect(readEntry(release.manifest, chunks, key("z"))).toEqual({ value: trap, version: 1 })
    expect(readEntry(release.manifest, chunks, key("b"))?.value).toBe('\\"a":')
  })
})

describe("the limits of a release", () => {
  const refusal = (edits: readonly EntryEdit[]) => {
    try {
      compile(EMPTY_RELEASE, new Map(), edits)
      return null
    } catch (error) {
      return error instanceof Refusal ? error.code : error
    }
  }

  test("are 10,000 keys", () => {
    const edits = Array.from({ length: 10_001 }, (_, i) => set(`k${i}`, i))
    expect(refusal(edits.slice(1))).toBeNull()
    expect(refusal(edits)).toBe("RELEASE_TOO_LARGE")
    expect(refusal([...edits, drop("k0")])).toBeNull()
  })

  test("are 4 MiB", () => {
    const halves = (bytes: number) => [set("a", "x".repeat(2_048 * KIB)), set("b", "x".repeat(bytes))]
    expect(refusal(halves(2_047 * KIB))).toBeNull()
    expect(refusal(halves(2_048 * KIB))).toBe("RELEASE_TOO_LARGE")
  })
})
