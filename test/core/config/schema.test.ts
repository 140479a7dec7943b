import { describe, expect, test } from "vitest"
import { checkSchema, compileSchema, validateValue } from "../../../core/config/schema.ts"
import { Refusal } from "../../../core/errors.ts"
import type { Json } from "../../../core/json.ts"

const KIB = 1_024

const refusalOf = (schema: Json): Refusal => {
  try {
    checkSchema(schema)
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
  throw new Error("nothing was refused")
}

const TOO_MUCH = [{ path: "", message: expect.stringContaining("too much work") as string }]
/** `depth` definitions, each of which asks for the next one twice. */
const doubling = (depth: number): Json => ({
  $ref: "#/$defs/a0",
  $defs: Object.fromEntries(
    Array.from({ length: depth + 1 }, (_, i) => [
      `a${i}`,
      i === depth
        ? { type: "string" }
        : { allOf: [{ $ref: `#/$defs/a${i + 1}` }, { $ref: `#/$defs/a${i + 1}` }] },
    ]),
  ),
})

describe("a value under its schema", () => {
  const schema: Json = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    properties: {
      retries: { type: "integer", minimum: 0 },
      mode: { enum: ["fast", "safe", { custom: [1] }, null] },
      host: { type: "string", format: "hostname" },
      tags: { type: "array", items: { type: "string", pattern: "^[a-z]+$" }, uniqueItems: true },
    },
    required: ["retries"],
    additionalProperties: false,
  }

  test.each<[Json]>([
    [{ retries: 3 }],
    [{ retries: 0, mode: "fast", host: "a.example", tags: ["a", "b"] }],
    [{ retries: 0, mode: { custom: [1] } }],
    [{ retries: 0, mode: null }],
  ])("%j passes", (value) => {
    expect(validateValue(schema, value)).toEqual([])
  })

  test.each<[Json, string, string]>([
    [{}, "", "must have required property 'retries'"],
    [{ retries: "3" }, "/retries", "must be integer"],
    [{ retries: -1 }, "/retries", "must be >= 0"],
    [{ retries: 1, more: 1 }, "", 'must NOT have additional properties: "more"'],
    [{ retries: 1, mode: "slow" }, "/mode", "must be equal to one of the allowed values"],
    [{ retries: 1, mode: { custom: [2] } }, "/mode", "must be equal to one of the allowed values"],
    [{ retries: 1, host: "-" }, "/host", 'must match format "hostname"'],
    [{ retries: 1, tags: ["A"] }, "/tags/0", 'must match pattern "^[a-z]+$"'],
    [{ retries: 1, tags: ["a", "b", "a"] }, "/tags", "must NOT have duplicate items"],
    ["text", "", "must be object"],
  ])("%j fails, and is told where and why", (value, path, message) => {
    const [error, ...others] = validateValue(schema, value)
    expect(error?.path).toBe(path)
    expect(error?.message).toContain(message)
    expect(others).toEqual([])
  })

  test("is told all that is wrong, but no more than anybody reads", () => {
    expect(validateValue(schema, { retries: -1, mode: 1, x: 1 })).toHaveLength(3)
    expect(validateValue({ items: { type: "string" } }, new Array<Json>(1_000).fill(1))).toHaveLength(50)
  })

  test("is not coerced, filled in or altered", () => {
    const value = { retries: 1 }
    validateValue({ properties: { retries: { type: "number" }, mode: { default: "fast" } } }, value)
    expect(value).toEqual({ retries: 1 })
  })

  test("has only the members it has itself", () => {
    expect(validateValue({ required: ["toString"] }, {})).toHaveLength(1)
    expect(validateValue({ properties: { constructor: { type: "string" } } }, {})).toEqual([])
  })

  test("finds equal items and members whatever their order, and tells 1 from its text", () => {
    expect(
      validateValue({ uniqueItems: true }, [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ]),
    ).toHaveLength(1)
    expect(validateValue({ uniqueItems: true }, [1, "1", true, "true", null, "null"])).toEqual([])
    expect(validateValue({ enum: [1] }, "1")).toHaveLength(1)
    expect(validateValue({ enum: [{ a: 1, b: 2 }] }, { b: 2, a: 1 })).toEqual([])
  })

  test("may be checked by a schema that refers to itself on the way down", () => {
    const tree: Json = {
      $id: "https://example.com/tree",
      $ref: "#/$defs/node",
      $defs: { node: { type: "object", required: ["v"], properties: { next: { $ref: "#/$defs/node" } } } },
    }
    expect(validateValue(tree, { v: 1, next: { v: 2, next: { v: 3 } } })).toEqual([])
    expect(validateValue(tree, { v: 1, next: { next: { v: 3 } } })).toEqual([
      { path: "/next", message: "must have required property 'v'" },
    ])
  })

  test("knows what 2020-12 knows", () => {
    const tuple: Json = { prefixItems: [{ type: "string" }], items: false }
    expect(validateValue(tuple, ["a"])).toEqual([])
    expect(validateValue(tuple, ["a", 1])).not.toEqual([])
    const closed: Json = { allOf: [{ properties: { a: true } }], unevaluatedProperties: false }
    expect(validateValue(closed, { a: 1 })).toEqual([])
    expect(validateValue(closed, { b: 1 })).not.toEqual([])
    expect(validateValue(true, 1)).toEqual([])
    expect(validateValue(false, 1)).not.toEqual([])
  })
})

describe("a schema", () => {
  test.each<[string, Json, string]>([
    ["a type that does not exist", { type: "strin" }, "type"],
    ["what is no schema", 1, "object"],
    ["a list", [], "object"],
    ["null", null, "object"],
    ["another dialect", { $schema: "http://json-schema.org/draft-07/schema#" }, "$schema"],
    ["a remote reference", { $ref: "http://169.254.169.254/latest" }, "resolve"],
    ["a reference to a file", { $ref: "file:///etc/passwd" }, "resolve"],
    ["the meta-schema by reference", { $ref: "https://json-schema.org/draft/2020-12/schema" }, "resolve"],
    ["a reference to nothing", { $ref: "#/$defs/gone" }, "resolve"],
    [
      "a circle of references",
      { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } } },
      "circle",
    ],
    ["a validator that would answer later", { $async: true, type: "string" }, "$async"],
    ["one inside that would", { properties: { a: { $async: true, type: "string" } } }, "async"],
    ["look-ahead", { pattern: "(?=a)b" }, "regexp"],
    ["a back-reference", { pattern: "(a)\\1" }, "regexp"],
    ["a broken pattern", { patternProperties: { "(": true } }, "regexp"],
  ])("with %s is refused, and the detail says why", (_, schema, why) => {
    const refusal = refusalOf(schema)
    expect(refusal.code).toBe("SCHEMA_INVALID")
    expect(refusal.message).toContain(why)
  })

  test("is at most 64 KiB, 32 levels and 5,000 parts", () => {
    expect(() => checkSchema({ title: "x".repeat(64 * KIB - 12) })).not.toThrow()
    expect(refusalOf({ title: "x".repeat(64 * KIB - 11) }).message).toContain("bytes")
    const nested = (levels: number): Json => (levels === 1 ? {} : { not: nested(levels - 1) })
    expect(() => checkSchema(nested(32))).not.toThrow()
    expect(refusalOf(nested(33)).message).toContain("32 levels")
    expect(refusalOf({ enum: Array.from({ length: 5_000 }, (_, i) => i) }).message).toContain("5000 parts")
  })

  test("may say things that are not keywords", () => {
    expect(() => checkSchema({ "x-owner": "me", example: 1, title: "t", format: "made-up" })).not.toThrow()
  })

  test("is compiled once, whatever the order of its members", () => {
    expect(compileSchema({ type: "string", minLength: 1 })).toBe(
      compileSchema({ minLength: 1, type: "string" }),
    )
  })

  test("never answers for another that has the same $id", () => {
    const id = "https://example.com/shared"
    expect(validateValue({ $id: id, type: "string" }, "a")).toEqual([])
    expect(validateValue({ $id: id, type: "number" }, "a")).toHaveLength(1)
    expect(refusalOf({ $ref: id }).message).toContain("resolve")
    checkSchema({ $defs: { inner: { $id: "https://example.com/inner", type: "string" } } })
    expect(refusalOf({ $ref: "https://example.com/inner" }).message).toContain("resolve")
  })

  test("is forgotten when there are many others, and then compiled again", () => {
    const first: Json = { title: "first", type: "string" }
    const compiled = compileSchema(first)
    for (let i = 0; i < 80; i++) checkSchema({ title: `${i}${"x".repeat(60 * KIB)}` })
    const again = compileSchema(first)
    expect(again).not.toBe(compiled)
    expect(again("a")).toEqual([])
  })
})

describe("hostile schemas and values are answered", () => {
  const text = "ab".repeat(128 * KIB)
  const times = (count: number, schema: Json): Json => ({ allOf: new Array<Json>(count).fill(schema) })

  const ones = new Array<Json>(100_000).fill(1)

  test("with the first of what is wrong where all of it would fill the memory", () => {
    const wrong = validateValue({ items: times(5, { type: "string" }) }, ones)
    expect(wrong).toHaveLength(50)
    expect(wrong[0]).toEqual({ path: "/0", message: "must be string" })
    expect(validateValue({ items: times(5, { type: "number" }) }, ones)).toEqual([])
  })

  test("when each of a thousand branches is wrong about each of all items", () => {
    const branches = new Array<Json>(1_000).fill({ items: { type: "string" } })
    for (const keyword of ["anyOf", "oneOf", "allOf"])
      expect(validateValue({ [keyword]: branches.slice(0, 900) }, ones)).toEqual(TOO_MUCH)
    const all = { anyOf: new Array<Json>(1_000).fill({ type: "string" }) }
    expect(validateValue({ contains: all }, ones)).toEqual(TOO_MUCH)
  })

  test("as before when a schema is as wide as may be", () => {
    const fields = Array.from({ length: 2_000 }, (_, i): [string, Json] => [`f${i}`, { type: "number" }])
    const schema = { items: { properties: Object.fromEntries(fields) } }
    const value = Array.from({ length: 300 }, (): Json => ({ f7: 1 }))
    expect(validateValue(schema, value)).toEqual([])
    expect(validateValue(schema, [...value, { f8: "1" }])).toEqual([
      { path: "/300/f8", message: "must be number" },
    ])
  })

  test("when a constant is as large as a schema may be, and compared over and over", () => {
    const large = [Array.from({ length: 4_000 }, (_, i) => i)]
    const { $ref, $defs } = doubling(15) as { $ref: string; $defs: Record<string, Json> }
    expect(validateValue({ $ref, $defs: { ...$defs, a15: { const: large } } }, large)).toEqual(TOO_MUCH)
    expect(validateValue({ const: large }, large)).toEqual([])
  })

  test("when every item is wrong by way of a reference", () => {
    const schema: Json = { items: { $ref: "#/$defs/a" }, $defs: { a: { type: "string" } } }
    expect(validateValue(schema, ones)).toEqual(TOO_MUCH)
    expect(validateValue(schema, ones.slice(0, 5_000))).toHaveLength(50)
  })

  test("when their code would take longer to write than all else", () => {
    for (const schema of [
      times(2_000, { uniqueItems: true }),
      times(1_000, { enum: [1] }),
      { oneOf: Array.from({ length: 1_500 }, (_, i) => ({ const: i })) },
    ])
      expect(refusalOf(schema).message).toContain("too much work")
    for (const schema of [times(400, { uniqueItems: true }), times(400, { enum: [1] })])
      expect(() => checkSchema(schema)).not.toThrow()
  })

  test("when references double at every level", () => {
    expect(validateValue(doubling(4), "a")).toEqual([])
    expect(validateValue(doubling(40), "a")).toEqual(TOO_MUCH)
  })

  test("when the doubling hides where no schema is expected", () => {
    const twice = (i: number): Json => ({ allOf: [{ $ref: `#/examples/${i}` }, { $ref: `#/examples/${i}` }] })
    const examples: Json[] = [...Array.from({ length: 30 }, (_, i) => twice(i + 1)), true]
    expect(validateValue({ $ref: "#/examples/0", examples }, 1)).toEqual(TOO_MUCH)
  })

  test("when the doubling goes down with the value", () => {
    const schema: Json = {
      $ref: "#/$defs/n",
      $defs: { n: { properties: { a: { allOf: [{ $ref: "#/$defs/n" }, { $ref: "#/$defs/n" }] } } } },
    }
    let value: Json = 1
    for (let i = 0; i < 60; i++) value = { a: value }
    expect(validateValue(schema, value)).toEqual(TOO_MUCH)
  })

  test.each<[string, Json]>([
    ["to itself", { $ref: "#" }],
    ["to itself twice", { allOf: [{ $ref: "#" }, { $ref: "#" }] }],
  ])("when they refer %s", (_, schema) => {
    expect(validateValue(schema, 1)).toEqual(TOO_MUCH)
  })

  test("when a pattern would backtrack for ever", () => {
    expect(validateValue({ pattern: "^(a+)+$" }, `${"a".repeat(200_000)}b`)).toHaveLength(1)
    expect(validateValue({ pattern: "^(?:.*a.{500}|.*b.{400})$" }, text)).toEqual(TOO_MUCH)
    const patterns = { allOf: Array.from({ length: 2_000 }, (_, i) => ({ pattern: `a{9${i % 100}}${i}` })) }
    expect(refusalOf(patterns).message).toContain("too much work")
  })

  test("when every item is compared with every other", () => {
    const items = Array.from({ length: 50_000 }, (_, i) => ({ i }))
    expect(validateValue({ uniqueItems: true }, items)).toEqual([])
    const names = Array.from({ length: 3_000 }, (_, i) => `v${i}`)
    expect(
      validateValue(
        { items: { enum: names } },
        items.map(({ i }) => `v${i % 3_000}`),
      ),
    ).toEqual([])
    expect(validateValue(times(200, { uniqueItems: true }), [text])).toEqual(TOO_MUCH)
  })

  test("when something large is walked again and again", () => {
    const members = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`k${i}`, 1]))
    expect(validateValue(times(2_000, { minProperties: 1 }), members)).toEqual(TOO_MUCH)
    expect(validateValue(times(2_000, { minLength: 1 }), text)).toEqual(TOO_MUCH)
    const numbers = Array.from({ length: 50_000 }, (_, i) => i)
    expect(validateValue({ items: times(1_000, { minimum: 0 }) }, numbers)).toEqual(TOO_MUCH)
  })

  test("when a format's expression is fed megabytes", () => {
    for (const format of [
      "email",
      "uri",
      "uri-reference",
      "hostname",
      "duration",
      "ipv6",
      "regex",
      "date-time",
    ])
      expect(validateValue({ format }, `a${":".repeat(250_000)}\n`)).toHaveLength(1)
  })
})
