import { expect } from "vitest"
import { validateValue } from "../../core/config/schema.ts"
import type { Json } from "../../core/json.ts"
import { asks, type Case, fresh, shows } from "./corpus.ts"
import type { Asked } from "./corpus-world.ts"

const put =
  (schema: Json, value: Json = 1): (() => Asked) =>
  () => ({
    method: "POST",
    path: "/api/v1/configs",
    by: "engineer",
    body: { tenantId: "acme", environment: "Staging", key: `schema.${fresh()}`, value, schema },
  })
const RIGHT = put({ type: "integer", $defs: { a: { pattern: "^a+$" } } })
const ref = ($ref: string): (() => Asked) => put({ $ref })
const times = (count: number, schema: Json): Json => ({ allOf: new Array<Json>(count).fill(schema) })

const refused = asks(
  "JSON Schema",
  "SCHEMA_INVALID",
  {
    "a reference to a metadata service": ref("http://169.254.169.254/latest/meta-data"),
    "a reference to a server": ref("https://attacker.example/schema.json"),
    "a reference to a file": ref("file:///etc/passwd"),
    "a reference to data": ref("data:application/json,true"),
    "a reference over FTP": ref("ftp://attacker.example/a"),
    "a reference to the meta-schema": ref("https://json-schema.org/draft/2020-12/schema"),
    "a reference to nothing": ref("#/$defs/none"),
    "a reference to Object's prototype": ref("#/__proto__/constructor"),
    "a reference to a constructor": ref("#/constructor/constructor"),
    "`__proto__` among its properties": put(JSON.parse('{"properties":{"__proto__":{"type":"string"}}}')),
    "a dynamic reference to a server": put({ $dynamicRef: "https://attacker.example/a" }),
    "a meta-schema of its own": put({ $schema: "https://attacker.example/meta" }),
    "a circle of references": put({
      $ref: "#/$defs/a",
      $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } },
    }),
    "a validator that answers later": put({ $async: true }),
    "look-ahead": put({ pattern: "^(?=(a+))\\1$" }),
    "look-behind": put({ pattern: "(?<!a)b" }),
    "a back-reference": put({ pattern: "(a+)\\1+$" }),
    "a broken pattern": put({ pattern: "[" }),
    "a broken pattern for names": put({ patternProperties: { "(": true } }),
    "a pattern repeated a million times": put({ pattern: "(a{1000}){1000}" }),
    "a pattern of 20,000 brackets": put({ pattern: `${"(".repeat(20_000)}${")".repeat(20_000)}` }),
    "2,000 patterns": put(times(2_000, { pattern: "^(a|b|ab)*c$" })),
    "2,000 times uniqueItems": put(times(2_000, { uniqueItems: true })),
    "1,000 enumerations": put(times(1_000, { enum: [1] })),
    "an enumeration of 5,000": put({ enum: Array.from({ length: 5_000 }, (_, i) => i) }),
    "1,500 alternatives of which one holds": put({
      oneOf: Array.from({ length: 1_500 }, (_, i) => ({ const: i })),
    }),
    "33 levels": put(Array.from({ length: 33 }).reduce<Json>((not) => ({ not }), true)),
    "64 KiB and a byte": put({ title: "x".repeat(65_536) }),
    "a list for a schema": put([]),
    "code in the name of a format": put({ format: 5 }),
  },
  RIGHT,
)

const doubling = Object.fromEntries(
  Array.from({ length: 40 }, (_, i): [string, Json] => [
    `a${i}`,
    { allOf: [{ $ref: `#/$defs/a${i + 1}` }, { $ref: `#/$defs/a${i + 1}` }] },
  ]),
)
const nested = Array.from({ length: 60 }).reduce<Json>((a) => ({ a }), 1)
const twice: Json = { properties: { a: { allOf: [{ $ref: "#/$defs/n" }, { $ref: "#/$defs/n" }] } } }
const numbers = Array.from({ length: 50_000 }, (_, i) => i)

const costly = asks(
  "JSON Schema",
  "SCHEMA_VIOLATION",
  {
    "a pattern that would go back for ever": put({ pattern: "^(a+)+$" }, `${"a".repeat(100_000)}b`),
    "a pattern of alternatives that overlap": put({ pattern: "^(a|a)*$" }, `${"a".repeat(100_000)}b`),
    "a pattern with nested stars": put({ pattern: "^(([a-z])+.)+[A-Z]([a-z])+$" }, "a".repeat(100_000)),
    "a pattern for names that would go back for ever": put(
      { patternProperties: { "^(a+)+$": true }, additionalProperties: false },
      { [`${"a".repeat(10_000)}b`]: 1 },
    ),
    "a pattern of which each letter costs much": put(
      { pattern: "^(?:.*a.{500}|.*b.{400})$" },
      "ab".repeat(100_000),
    ),
    "a format fed 250,000 letters": put({ format: "email" }, `${"a@".repeat(100_000)}!`),
    "a format that goes back": put({ format: "regex" }, "(a".repeat(100_000)),
    "references that double at every level": put({ $ref: "#/$defs/a0", $defs: { ...doubling, a40: true } }),
    "references that double with the value": put({ $ref: "#/$defs/n", $defs: { n: twice } }, nested),
    "a reference to itself": put({ $ref: "#" }),
    "a reference to itself, twice": put({ allOf: [{ $ref: "#" }, { $ref: "#" }] }),
    "a dynamic reference to itself": put({
      $dynamicAnchor: "x",
      allOf: [{ $dynamicRef: "#x" }, { $dynamicRef: "#x" }],
    }),
    "a large list compared 200 times": put(
      times(200, { uniqueItems: true }),
      [numbers, numbers].flat().slice(0, 40_000),
    ),
    "a thousand branches for each of many items": put(
      { anyOf: new Array(1_000).fill({ items: { type: "string" } }) },
      numbers.slice(0, 40_000),
    ),
    "a thousand branches inside contains": put(
      { contains: { anyOf: new Array(900).fill({ type: "string" }) } },
      numbers.slice(0, 40_000),
    ),
  },
  put({ pattern: "^(a+)+$", anyOf: [{ minLength: 1 }, { format: "email" }] }, "aaa"),
)

const apart = shows("JSON Schema", "only its own definitions", {
  "another schema's `$id`": () => {
    expect(validateValue({ $id: "https://tenant.example/a", type: "string" }, "a")).toEqual([])
    expect(() => validateValue({ $ref: "https://tenant.example/a" }, "a")).toThrow("resolve")
  },
  "another schema with the same `$id`": () => {
    const $id = "https://tenant.example/b"
    expect(validateValue({ $id, type: "string" }, "a")).toEqual([])
    expect(validateValue({ $id, type: "number" }, "a")).toHaveLength(1)
  },
  "a default for what is not there": () => {
    const value = {}
    validateValue({ properties: { isAdmin: { default: true } } }, value)
    expect(value).toEqual({})
  },
  "a required member that only a prototype has": () => {
    expect(validateValue({ required: ["toString"] }, {})).toHaveLength(1)
  },
})

export const SCHEMA_CASES: readonly Case[] = [...refused, ...costly, ...apart]
