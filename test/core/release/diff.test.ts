import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { ConfigKey } from "../../../core/ids.ts"
import { canonical, type Json } from "../../../core/json.ts"
import { diffEdits, diffValues, type EditedEntry } from "../../../core/release/diff.ts"
import type { Entry } from "../../../core/release/release.ts"
import { jsonValues } from "../json-values.ts"

const seed = 20261108

/** What stands at a JSON pointer, or `undefined`. */
const lookUp = (value: Json, pointer: string): Json | undefined => {
  let found: Json | undefined = value
  for (const part of pointer.split("/").slice(1)) {
    if (typeof found !== "object" || found === null) return undefined
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~")
    found = Object.hasOwn(found, name) ? (found as Record<string, Json>)[name] : undefined
  }
  return found
}

describe("the difference between two values", () => {
  test("is empty exactly when they are equal", () => {
    fc.assert(
      fc.property(jsonValues(), jsonValues(), (a, b) => {
        expect(diffValues(a, a)).toEqual([])
        expect(diffValues(a, b).length === 0).toBe(canonical(a) === canonical(b))
      }),
      { seed, numRuns: 1_000 },
    )
  })

  test("names places where the values really are what it says", () => {
    fc.assert(
      fc.property(jsonValues(), jsonValues(), (a, b) => {
        for (const { path, before, after } of diffValues(a, b)) {
          expect(lookUp(a, path)).toEqual(before)
          expect(lookUp(b, path)).toEqual(after)
        }
      }),
      { seed, numRuns: 1_000 },
    )
  })

  test("reaches inside, and names the place by JSON pointer", () => {
    expect(diffValues({ a: { "x/y": 1, "~": [1, 2] } }, { a: { "x/y": 2, "~": [1, 3, 4] } })).toEqual([
      { path: "/a/x~1y", kind: "changed", before: 1, after: 2 },
      { path: "/a/~0/1", kind: "changed", before: 2, after: 3 },
      { path: "/a/~0/2", kind: "added", after: 4 },
    ])
  })

  test("of scalars, or of an object and a list, is the whole", () => {
    expect(diffValues(1, "1")).toEqual([{ path: "", kind: "changed", before: 1, after: "1" }])
    expect(diffValues({}, [])).toEqual([{ path: "", kind: "changed", before: {}, after: [] }])
    expect(diffValues(null, {})).toEqual([{ path: "", kind: "changed", before: null, after: {} }])
  })

  test("takes a member called like an inherited one for what it is", () => {
    const value = JSON.parse('{"toString":1,"constructor":2,"__proto__":3}') as Json
    expect(diffValues(value, {}).map(({ path, kind }) => [path, kind])).toEqual([
      ["/toString", "removed"],
      ["/constructor", "removed"],
      ["/__proto__", "removed"],
    ])
    expect(diffValues({}, value).map(({ kind }) => kind)).toEqual(["added", "added", "added"])
  })
})

describe("the difference between values made to have a long one", () => {
  const half = 120_000
  const long = "n".repeat(half)
  const whole = (before: Json, after: Json) => [{ path: "", kind: "changed", before, after }]

  test("is the whole where the paths would be gigabytes", () => {
    const of = (leaf: number): Json => ({ [long]: new Array<Json>(half / 2).fill(leaf) })
    expect(diffValues(of(0), of(1))).toEqual(whole(of(0), of(1)))
    const few = (leaf: number): Json => ({ [long]: new Array<Json>(100).fill(leaf) })
    expect(diffValues(few(0), few(1))).toEqual(whole(few(0), few(1)))
    expect(diffValues(of(0), of(0))).toEqual([])
  })

  test("is the whole where there are too many places, in one value or in all of a change together", () => {
    const of = (size: number, leaf: number): Json => new Array<Json>(size).fill(leaf)
    expect(diffValues(of(half, 0), of(half, 1))).toEqual(whole(of(half, 0), of(half, 1)))
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}` as ConfigKey)
    const stable = new Map(keys.map((key) => [key, { value: of(1_000, 0), version: 1 }]))
    const edits = keys.map((key) => ({ key, value: of(1_000, 1) }))
    const told = diffEdits(edits, stable).map(({ values }) => values.length)
    expect([told[0], told.at(-1)]).toEqual([1_000, 1])
  })
})

describe("the difference an edit makes", () => {
  const key = "a" as ConfigKey
  const diff = (edit: Omit<EditedEntry, "key">, entry?: Omit<Entry, "version">) =>
    diffEdits([{ key, ...edit }], new Map(entry ? [[key, { version: 1, ...entry }]] : []))[0]

  test("says what is new, gone, other or the same", () => {
    expect(diff({ value: 1 })).toEqual({ key, kind: "added", after: 1, values: [], schemaChanged: false })
    expect(diff({}, { value: 1 })).toEqual({
      key,
      kind: "removed",
      before: 1,
      values: [],
      schemaChanged: false,
    })
    expect(diff({ value: { b: 2 } }, { value: { b: 1 } })).toEqual({
      key,
      kind: "changed",
      before: { b: 1 },
      after: { b: 2 },
      values: [{ path: "/b", kind: "changed", before: 1, after: 2 }],
      schemaChanged: false,
    })
    expect(diff({ value: 1 }, { value: 1 })).toMatchObject({ kind: "unchanged", before: 1, after: 1 })
    expect(diff({})).toMatchObject({ kind: "unchanged" })
  })

  test("counts the schema and the lock, whatever the order of members", () => {
    expect(diff({ value: 1, schema: { type: "number" } }, { value: 1 })).toMatchObject({
      kind: "changed",
      schemaChanged: true,
    })
    expect(diff({ value: 1, locked: true }, { value: 1 })).toMatchObject({
      kind: "changed",
      locked: true,
      values: [],
    })
    expect(diff({ value: 1 }, { value: 1, locked: true })).toMatchObject({ kind: "changed", locked: false })
    const schema = { type: "object", required: ["a"] }
    expect(
      diff({ value: 1, schema: { required: ["a"], type: "object" } }, { value: 1, schema }),
    ).toMatchObject({
      kind: "unchanged",
      schemaChanged: false,
    })
  })

  test("keeps the order of the edits", () => {
    const edits = ["c", "a", "b"].map((name) => ({ key: name as ConfigKey, value: 1 }))
    expect(diffEdits(edits, new Map()).map((edit) => edit.key)).toEqual(["c", "a", "b"])
  })
})
