import fc from "fast-check"
import { expect, test } from "vitest"
import { placeIn } from "../../console/src/parts/json-text.ts"

type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

const pointersIn = (value: Json, pointer = ""): [string, Json][] => [
  [pointer, value],
  ...(typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([name, part]) =>
        pointersIn(part, `${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`),
      )
    : []),
]

test("every part of a JSON text is found where it stands, however the text is laid out", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(0, 1, 2, "\t"), (value, indent) => {
      const text = JSON.stringify(value, null, indent)
      for (const [pointer, part] of pointersIn(JSON.parse(text) as Json)) {
        const { from, to, line } = placeIn(text, pointer)!
        expect(JSON.parse(text.slice(from, to))).toEqual(part)
        expect(line).toBe(text.slice(0, from).split("\n").length)
      }
    }),
    { seed: 7, numRuns: 200 },
  )
})

test("of what is not there, the place is that of what would hold it; of no JSON there is none", () => {
  expect(placeIn('[\n{"id": "a"}]', "/0/require/x")).toEqual({ from: 2, to: 13, line: 2 })
  expect(placeIn('[{"id": ]', "/0")).toBeNull()
  expect(placeIn("[]", "pool.max")).toBeNull()
})
