import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { type ProblemCode, Refusal } from "../../core/errors.ts"
import { canonical, type Json, parseJson } from "../../core/json.ts"
import { jsonValues } from "./json-values.ts"

const seed = 20261101

/** The problem code of the refusal, or `null` if the text was taken. */
const refusalOf = (text: string): ProblemCode | null => {
  try {
    parseJson(text)
    return null
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

const detailOf = (text: string): string => {
  try {
    parseJson(text)
  } catch (error) {
    if (error instanceof Refusal) return error.message
  }
  throw new Error("nothing was refused")
}

describe("reading JSON from outside", () => {
  test("what JSON.stringify prints is read as it was, compact and indented", () => {
    fc.assert(
      fc.property(jsonValues(6), fc.constantFrom(0, 2), (value, indent) => {
        expect(parseJson(JSON.stringify(value, null, indent))).toEqual(value)
      }),
      { seed, numRuns: 500 },
    )
  })

  test("exactly the texts that JSON.parse reads are taken as JSON", () => {
    const pieces = ["{", "}", "[", "]", ",", ":", '"a"', '"b"', "1", "-2", "0.5", "true", "null", " ", "\n"]
    const texts = fc.array(fc.constantFrom(...pieces), { maxLength: 9 }).map((parts) => parts.join(""))
    fc.assert(
      fc.property(texts, (text) => {
        let reads = true
        try {
          JSON.parse(text)
        } catch {
          reads = false
        }
        const refusal = refusalOf(text)
        if (refusal === "JSON_DUPLICATE_KEY") expect(reads).toBe(true)
        else expect(refusal).toBe(reads ? null : "BODY_NOT_JSON")
      }),
      { seed, numRuns: 5_000 },
    )
  })

  test.each([
    ["", "line 1, column 1"],
    ["[1,]", "line 1, column 4"],
    ['{\n  "a": 1\n  "b": 2}', "line 3, column 3"],
    ['{"a" 1}', "line 1, column 6"],
    ["{a: 1}", "line 1, column 2"],
    ["[1] x", "line 1, column 5"],
    ["tru", "line 1, column 1"],
    ["01", "line 1, column 2"],
    ["1.", "line 1, column 3"],
    ["1e+", "line 1, column 4"],
    ["+1", "line 1, column 1"],
    [".5", "line 1, column 1"],
    ["NaN", "line 1, column 1"],
    ['"abc', "line 1, column 5"],
    ["[", "line 1, column 2"],
    ["{}}", "line 1, column 3"],
    ["\ufeff{}", "line 1, column 1"],
  ])("%j is refused with the place where reading stopped", (text, place) => {
    expect(refusalOf(text)).toBe("BODY_NOT_JSON")
    expect(detailOf(text)).toContain(place)
  })

  test.each(['"\n"', '"\u001f"', '"\\x"', '"\\u12g4"', '["ok", "\\'])(
    "%j is refused inside its string",
    (text) => {
      expect(refusalOf(text)).toBe("BODY_NOT_JSON")
    },
  )

  test("the refusal of broken JSON repeats nothing of what was sent", () => {
    expect(detailOf('{"password": hunter2}')).not.toContain("hunter2")
  })
})

describe("numbers, judged as they are written", () => {
  const held = ["0", "0.0", "0e400", "1.10", "1e2", "1E+2", "100e-2", "0.1", "-0.1"]
  test.each([
    ...held,
    "9007199254740992",
    "9007199254740994",
    "123456789012345",
    "0.000000000000001",
    "295147905179352830000",
    "1e308",
    "5e-324",
    "1.7976931348623157e308",
    "17976931348623157e292",
    `1${"0".repeat(300)}`,
    `1${"0".repeat(5_000)}e-5000`,
    `0.${"0".repeat(300)}1`,
    "1.000000000000000000000000000",
  ])("%s is held exactly", (literal) => {
    expect(parseJson(literal)).toBe(Number(literal))
  })

  test.each([
    "9007199254740993",
    "-9007199254740993",
    "0.1000000000000000055511151231257827",
    "123456789012345678",
    "1e400",
    "-1e400",
    "1e-400",
    "3e-324",
    "1e99999999999999999999",
    "333333333.33333329",
    "-0",
    "-0.0",
    "-0e5",
  ])("%s is refused, not altered", (literal) => {
    expect(refusalOf(literal)).toBe("JSON_NUMBER_INEXACT")
    expect(refusalOf(`{"a":[${literal}]}`)).toBe("JSON_NUMBER_INEXACT")
    expect(refusalOf(`"${literal}"`)).toBeNull()
  })

  test("a literal is taken exactly when its mathematical value is the one JavaScript prints", () => {
    const digits = fc.stringMatching(/^(0|[1-9]\d{0,20})(\.\d{1,20})?([eE][+-]?\d{1,3})?$/)
    fc.assert(
      fc.property(digits, fc.constantFrom("", "-"), (unsigned, sign) => {
        const literal = sign + unsigned
        const number = Number(literal)
        const isSame =
          Number.isFinite(number) && !Object.is(number, -0) && ratioOf(literal) === ratioOf(String(number))
        expect(refusalOf(literal)).toBe(isSame ? null : "JSON_NUMBER_INEXACT")
      }),
      { seed, numRuns: 5_000 },
    )
  })

  test("every finite number that JavaScript prints is held", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        if (Object.is(number, -0)) return
        expect(parseJson(String(number))).toBe(number)
      }),
      { seed, numRuns: 5_000 },
    )
  })
})

/** The literal's value as an exact integer, scaled by 10^1100: a second way to say what it is worth. */
const ratioOf = (literal: string): bigint => {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(literal) ?? []
  const scaled = BigInt(whole + fraction) * 10n ** BigInt(1_100 + Number(exponent) - fraction.length)
  return sign === "-" ? -scaled : scaled
}

describe("what is refused though it is JSON", () => {
  test("64 levels are read, 65 are not", () => {
    expect(refusalOf("[".repeat(64) + "]".repeat(64))).toBeNull()
    expect(refusalOf("[".repeat(65) + "]".repeat(65))).toBe("JSON_TOO_DEEP")
    expect(refusalOf(`${'{"a":'.repeat(65)}1${"}".repeat(65)}`)).toBe("JSON_TOO_DEEP")
  })

  test("siblings are not levels", () => {
    expect(refusalOf(`[${"[[]],".repeat(1_000)}[]]`)).toBeNull()
  })

  test.each([
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":2}',
    '[{"b":{"a":1,"c":{},"a":2}}]',
    '{"a":{"x":1,"x":2},"a":1}',
    '{"__proto__":1,"__proto__":2}',
  ])("%s names a member twice", (text) => {
    expect(refusalOf(text)).toBe("JSON_DUPLICATE_KEY")
  })

  test("the refusal names the member and the place", () => {
    expect(detailOf('{"a":1,\n "b":2,\n "a":3}')).toBe('"a" again at line 3, column 2.')
  })

  test("equal names in different objects are no duplicates", () => {
    expect(refusalOf('{"a":{"a":[{"a":1},{"a":1}]},"b":{"a":1}}')).toBeNull()
  })

  test.each(['"\\u0000"', '{"a\\u0000":1}', '["a\0"]', '[{"a":["\\u0000"]}]'])("%j holds a NUL", (text) => {
    expect(refusalOf(text)).toBe("JSON_NUL")
  })

  test.each(['"\\ud800"', '"\\udc00\\ud800"', '{"\\ud83d":1}', '"\ud800"', '[["\\uDFFF"]]'])(
    "%j holds half a surrogate pair",
    (text) => {
      expect(refusalOf(text)).toBe("JSON_LONE_SURROGATE")
    },
  )

  test("pairs, written out or escaped, and an escaped backslash before u are read", () => {
    expect(parseJson('["😀", "\\ud83d\\ude00", "\\\\u0000", "\\\\ud800"]')).toEqual([
      "😀",
      "😀",
      "\\u0000",
      "\\ud800",
    ])
  })
})

describe("hostile input", () => {
  test("a member called __proto__ is a member, and touches no prototype", () => {
    const value = parseJson('{"__proto__":{"polluted":true},"constructor":{"prototype":1}}') as Record<
      string,
      Json
    >
    expect(Object.keys(value)).toEqual(["__proto__", "constructor"])
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
    expect(canonical(value)).toBe('{"__proto__":{"polluted":true},"constructor":{"prototype":1}}')
  })

  const size = 8 * 1_024 * 1_024
  test.each([
    ["opening brackets", "[".repeat(size), "JSON_TOO_DEEP"],
    ["one number", "1".repeat(size), "JSON_NUMBER_INEXACT"],
    ["one fraction", `0.${"3".repeat(size)}`, "JSON_NUMBER_INEXACT"],
    ["one exponent", `1e${"9".repeat(size)}`, "JSON_NUMBER_INEXACT"],
    ["backslashes", `"${"\\".repeat(size)}"`, null],
    ["escaped quotes", `"${'\\"'.repeat(size / 2)}"`, null],
    ["an open string of escaped quotes", `"${'\\"'.repeat(size / 2)}`, "BODY_NOT_JSON"],
    ["white space", " ".repeat(size), "BODY_NOT_JSON"],
    ["lines", "\n".repeat(size), "BODY_NOT_JSON"],
    ["empty objects", `[${"{},".repeat(size / 3)}{}]`, null],
  ])("8 MiB of %s are answered without exhausting anything", (_, text, code) => {
    expect(refusalOf(text)).toBe(code)
  })
})
