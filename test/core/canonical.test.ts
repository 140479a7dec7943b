import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { byteLength, canonical, type Json } from "../../core/json.ts"
import { jsonValues } from "./json-values.ts"

const seed = 20261102

/** The same value with the members of every object in another order. */
const shuffled = (value: Json, order: (keys: string[]) => string[]): Json => {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map((item) => shuffled(item, order))
  const copy = Object.create(null) as Record<string, Json>
  for (const key of order(Object.keys(value))) copy[key] = shuffled(value[key]!, order)
  return copy
}

describe("the vectors of RFC 8785", () => {
  test("section 3.2.2: literals, numbers and strings", () => {
    const input = String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`
    expect(canonical(JSON.parse(input))).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    )
  })

  test("section 3.2.3: members sorted by UTF-16 code units", () => {
    const input = String.raw`{
      "\u20ac": "Euro Sign",
      "\r": "Carriage Return",
      "\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One",
      "\ud83d\ude00": "Emoji: Grinning Face",
      "\u0080": "Control",
      "\u00f6": "Latin Small Letter O With Diaeresis"
    }`
    const sorted = Object.values(JSON.parse(canonical(JSON.parse(input))) as object)
    const inText = [...canonical(JSON.parse(input)).matchAll(/:"([^"]+)"/g)].map((match) => match[1])
    expect(inText).toEqual([
      "Carriage Return",
      "One",
      "Control",
      "Latin Small Letter O With Diaeresis",
      "Euro Sign",
      "Emoji: Grinning Face",
      "Hebrew Letter Dalet With Dagesh",
    ])
    expect(sorted).toHaveLength(7)
  })

  test.each([
    ["0000000000000000", "0"],
    ["8000000000000000", "0"],
    ["0000000000000001", "5e-324"],
    ["8000000000000001", "-5e-324"],
    ["7fefffffffffffff", "1.7976931348623157e+308"],
    ["ffefffffffffffff", "-1.7976931348623157e+308"],
    ["4340000000000000", "9007199254740992"],
    ["c340000000000000", "-9007199254740992"],
    ["4430000000000000", "295147905179352830000"],
    ["44b52d02c7e14af5", "9.999999999999997e+22"],
    ["44b52d02c7e14af6", "1e+23"],
    ["44b52d02c7e14af7", "1.0000000000000001e+23"],
    ["444b1ae4d6e2ef4e", "999999999999999700000"],
    ["444b1ae4d6e2ef4f", "999999999999999900000"],
    ["444b1ae4d6e2ef50", "1e+21"],
    ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
    ["3eb0c6f7a0b5ed8d", "0.000001"],
    ["41b3de4355555553", "333333333.3333332"],
    ["41b3de4355555554", "333333333.33333325"],
    ["41b3de4355555555", "333333333.3333333"],
    ["41b3de4355555556", "333333333.3333334"],
    ["41b3de4355555557", "333333333.33333343"],
    ["becbf647612f3696", "-0.0000033333333333333333"],
    ["43143ff3c1cb0959", "1424953923781206.2"],
  ])("appendix B: %s is %s", (bits, text) => {
    const number = Buffer.from(bits, "hex").readDoubleBE()
    expect(canonical(number)).toBe(text)
    expect(canonical({ b: number, a: [number] })).toBe(`{"a":[${text}],"b":${text}}`)
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "appendix B: %s is an error",
    (number) => {
      expect(() => canonical(number)).toThrow(TypeError)
      expect(() => canonical({ b: 1, a: [number] })).toThrow(TypeError)
    },
  )

  test.each(["\ud800", "a\udc00", "\udc00\ud800"])(
    "section 3.2.2.2: half a surrogate pair is an error",
    (text) => {
      expect(() => canonical(text)).toThrow(TypeError)
      expect(() => canonical({ z: 1, a: { [text]: 1 } })).toThrow(TypeError)
    },
  )
})

describe("canonical JSON", () => {
  test("is the same whatever the order of members", () => {
    fc.assert(
      fc.property(jsonValues(), fc.infiniteStream(fc.nat()), (value, numbers) => {
        const order = (keys: string[]) =>
          keys
            .map((key) => ({ key, at: numbers.next().value as number }))
            .sort((a, b) => a.at - b.at)
            .map(({ key }) => key)
        expect(canonical(shuffled(value, order))).toBe(canonical(value))
      }),
      { seed, numRuns: 500 },
    )
  })

  test("is what it is made of, and its own canonical form", () => {
    fc.assert(
      fc.property(jsonValues(), (value) => {
        const text = canonical(value)
        expect(JSON.parse(text)).toEqual(value)
        expect(canonical(JSON.parse(text))).toBe(text)
      }),
      { seed, numRuns: 500 },
    )
  })

  test("sorts members that look like array indices as text", () => {
    expect(canonical({ 9: "c", 10: "b", 1: "a", x: { 2: 1, 11: 2 } })).toBe(
      '{"1":"a","10":"b","9":"c","x":{"11":2,"2":1}}',
    )
  })

  test("keeps a member called __proto__", () => {
    expect(canonical(JSON.parse('{"b":1,"__proto__":{"z":1,"a":2}}'))).toBe(
      '{"__proto__":{"a":2,"z":1},"b":1}',
    )
  })

  test("leaves out undefined members, and refuses them in arrays", () => {
    const absent = undefined as unknown as Json
    expect(canonical({ b: absent, a: 1 })).toBe('{"a":1}')
    expect(canonical({ a: 1, b: absent })).toBe('{"a":1}')
    expect(() => canonical([absent])).toThrow(TypeError)
  })

  test("takes an escaped backslash for what it is", () => {
    expect(canonical({ b: "\\ud800", a: "\\" })).toBe(String.raw`{"a":"\\","b":"\\ud800"}`)
  })
})

test("lengths are counted in bytes of UTF-8, of short and of long text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.constantFrom(1, 50), (text, times) => {
      expect(byteLength(text.repeat(times))).toBe(Buffer.byteLength(text.repeat(times)))
    }),
    { seed, numRuns: 500 },
  )
})
