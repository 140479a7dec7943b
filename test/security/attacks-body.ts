import { readFileSync } from "node:fs"
import { join } from "node:path"
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib"
import { expect } from "vitest"
import { BODY_BYTES_MAX } from "../../core/config/limits.ts"
import { ROOT } from "../support/source-tree.ts"
import { asks, type Case, fresh, shows } from "./corpus.ts"
import type { Asked, World } from "./corpus-world.ts"

const POLICY = "/api/v1/tenants/acme/environments/Development/policy"
const PREVIEW = "/api/v1/changes/preview"
const BEFORE = '{"tenantId":"acme","environment":"Staging","edits":[{"key":"k","value":'
const AFTER = "}]}"
const text = (value: string): string => BEFORE + value + AFTER
const asked = (raw: string | Uint8Array, headers: Record<string, string> = {}): Asked => ({
  method: "POST",
  path: PREVIEW,
  by: "engineer",
  raw,
  headers,
})
const valued = (value: string): Asked => asked(text(value))
const RIGHT = valued('{"a":1}')
const latin = (value: string): Uint8Array => Buffer.from(text(`"${value}"`), "latin1")

const grammar: Case[] = [
  ...asks(
    "JSON",
    "BODY_NOT_JSON",
    {
      "not a number": valued("NaN"),
      "an infinity": valued("-Infinity"),
      undefined: valued("undefined"),
      "in single quotes": valued("'a'"),
      "a name without quotes": valued("{a:1}"),
      "a comment": valued("/* 1 */ 2"),
      "a comma too many": valued("[1,]"),
      "a number in hexadecimal": valued("0x10"),
      "a number with a leading nought": valued("010"),
      "a number with a plus": valued("+1"),
      "a number with separators": valued("1_000"),
      "an escape that there is none of": valued('"\\x41"'),
      "a line feed in a string": valued('"a\nb"'),
      "two documents": asked(`${text("1")}\n${text("2")}`),
      "something after it": asked(`${text("1")};alert(1)`),
      "a guard against scripts before it": asked(`)]}',\n${text("1")}`),
      "a byte order mark": asked(`\ufeff${text("1")}`),
      "a form": asked("tenantId=acme&environment=Staging", {
        "content-type": "application/x-www-form-urlencoded",
      }),
      "several parts": asked(`--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n--x--`, {
        "content-type": "multipart/form-data; boundary=x",
      }),
      XML: asked('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', {
        "content-type": "application/xml",
      }),
      YAML: asked("tenantId: !!js/function 'acme'\n", { "content-type": "application/yaml" }),
      "in UTF-16": asked(Buffer.from(`\ufeff${text("1")}`, "utf16le")),
      "not in UTF-8": asked(latin("\xe9")),
      "an overlong slash": asked(latin("\xc0\xaf")),
      "an overlong NUL": asked(latin("\xc0\x80")),
      "half a pair as three bytes": asked(latin("\xed\xa0\x80")),
      "beyond all of Unicode": asked(latin("\xf5\x80\x80\x80")),
      "a character cut short": asked(latin("\xe2\x82")),
    },
    RIGHT,
  ),
  ...asks(
    "JSON",
    "JSON_DUPLICATE_KEY",
    {
      "a member twice": asked(`{"tenantId":"globex","tenantId":"acme","environment":"Staging","edits":[]}`),
      "a member twice, once in escapes": valued('{"ab":1,"\\u0061b":2}'),
      "a member twice, far inside": valued('[[{"a":{"b":1,"b":1}}]]'),
      "a prototype twice": valued('{"__proto__":1,"__proto__":2}'),
    },
    RIGHT,
  ),
  ...asks(
    "JSON",
    "JSON_LONE_SURROGATE",
    { "half a pair in escapes": valued('"\\ud800"') },
    valued('"\\ud83d\\ude00"'),
  ),
  ...asks(
    "JSON",
    "JSON_NUL",
    { "NUL in escapes": valued('"a\\u0000b"'), "NUL in a name": valued('{"a\\u0000":1}') },
    valued('"a\\u0001b"'),
  ),
  ...asks(
    "JSON",
    "JSON_NUMBER_INEXACT",
    {
      "a number beyond all": valued("1e400"),
      "a whole number that no float holds": valued("9007199254740993"),
      "a number of 10,000 digits": valued("1".repeat(10_000)),
      "a fraction below all": valued("1e-400"),
      "minus nought": valued("-0"),
    },
    valued("9007199254740991"),
  ),
  ...asks(
    "JSON",
    "JSON_TOO_DEEP",
    {
      "65 lists deep": valued(`${"[".repeat(65)}${"]".repeat(65)}`),
      "a million lists deep": valued(`${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}`),
      "a million lists deep, never ended": asked("[".repeat(1_000_000)),
      "100,000 objects deep": valued(`${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`),
    },
    valued(`${"[".repeat(50)}${"]".repeat(50)}`),
  ),
]

const fat = "x".repeat(BODY_BYTES_MAX)
const packed = (name: string, bytes: Buffer) => asked(bytes, { "content-encoding": name })
const bomb = gzipSync(text(`"${"a".repeat(50_000_000)}"`))
const coded: Case[] = asks(
  "Size and coding",
  "ENCODING_UNSUPPORTED",
  {
    gzip: packed("gzip", gzipSync(text("1"))),
    "gzip, in capitals": packed("GZIP", gzipSync(text("1"))),
    deflate: packed("deflate", deflateSync(text("1"))),
    Brotli: packed("br", brotliCompressSync(text("1"))),
    Zstandard: packed("zstd", zstdCompressSync(text("1"))),
    "50 megabytes in 50 kilobytes": packed("gzip", bomb),
    "coded twice": packed("gzip, gzip", gzipSync(gzipSync(text("1")))),
    "gzip by name, plain in fact": packed("gzip", Buffer.from(text("1"))),
    "something that nobody knows": packed("x-mystery", Buffer.from(text("1"))),
  },
  asked(text("1"), { "content-encoding": "identity" }),
)

const members = (count: number): string =>
  `{${Array.from({ length: count }, (_, n) => `"m${n}":0`).join(",")}}`
const listed = (name: string, count: number): string =>
  `{"tenantId":"acme","environment":"Staging","${name}":[${"0,".repeat(count - 1)}0]}`
const rollout = (type: string, name: string, count: number): string =>
  `{"tenantId":"acme","environment":"Staging","edits":[{"key":"k","value":1}],"strategy":{"type":"${type}","${name}":[${"0,".repeat(count)}0]}}`

type Schema = Record<string, unknown> & { maxItems?: number }
const document = JSON.parse(readFileSync(join(ROOT, "docs/openapi.json"), "utf8")) as {
  paths: Record<string, Record<string, { requestBody?: { content: Record<string, { schema: Schema }> } }>>
  components: { schemas: Record<string, Schema> }
}

/** What the rules themselves bound, and lists of one length, which the document has no word for: each is sent below. */
const BOUNDED_ELSEWHERE =
  /^New(?:Policy|Rules)\/|^NewPlatformToken\/properties\/roles$|^Outcome\/properties\/latency\/items$/

/** Every list in every schema that a request's body is held against. */
const listsIn = (schema: unknown, at: string): { at: string; schema: Schema }[] => {
  if (typeof schema !== "object" || schema === null) return []
  const { $ref, type } = schema as Schema
  if (typeof $ref === "string") {
    const name = $ref.split("/").at(-1)!
    return listsIn(document.components.schemas[name], name)
  }
  const here = type === "array" ? [{ at, schema: schema as Schema }] : []
  return [...here, ...Object.entries(schema).flatMap(([name, part]) => listsIn(part, `${at}/${name}`))]
}
const requestLists = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { requestBody }]) =>
      Object.values(requestBody?.content ?? {}).flatMap(({ schema }) => listsIn(schema, `${method} ${path}`)),
    ),
  )

const large: Case[] = [
  ...asks(
    "Size and coding",
    "BODY_TOO_LARGE",
    {
      "a byte over the limit": asked(`${fat} `),
      "a byte over the limit, of blanks": asked(`${text("1")}${" ".repeat(BODY_BYTES_MAX)}`),
      "two million letters of three bytes each": asked(`"${"€".repeat(2_200_000)}"`),
    },
    asked(text("1") + " ".repeat(1_000_000)),
  ),
  ...asks(
    "Size and coding",
    "BODY_INVALID",
    {
      "50,000 members that there are not": asked(members(50_000)),
      "300,000 edits": asked(listed("edits", 300_000)),
      "300,000 steps of a rollout": asked(rollout("canary", "steps", 299_999)),
      "300,000 waves of a rollout": asked(rollout("rolling", "waves", 299_999)),
      "300,000 subjects to look for": asked(listed("contexts", 300_000)),
    },
    RIGHT,
  ),
  ...asks(
    "Size and coding",
    "BODY_INVALID",
    {
      "300,000 roles": {
        method: "POST",
        path: "/api/v1/tokens",
        by: "platform",
        raw: `{"subject":"m","roles":[${"0,".repeat(299_999)}0]}`,
      },
    },
    {
      method: "POST",
      path: "/api/v1/tokens",
      by: "platform",
      body: { subject: "m", roles: ["reader"], tenants: ["acme"], environment: "QA" },
    },
  ),
  ...asks(
    "Size and coding",
    "POLICY_INVALID",
    Object.fromEntries(
      ["allowedStrategies", "breakGlass", "stages", "freezes", "snsTopics"].map((name) => [
        `300,000 of ${name}`,
        { method: "PUT", path: POLICY, by: "manager", raw: `{"${name}":[${"0,".repeat(299_999)}0]}` },
      ]),
    ),
    () => ({ method: "PUT", path: POLICY, by: "manager", body: { expiresAfterMs: 3_600_000 + fresh() } }),
  ),
  ...asks(
    "Size and coding",
    "JSON_TOO_MANY",
    { "50,001 members": asked(members(50_001)), "500,000 members": asked(members(500_000)) },
    RIGHT,
  ),
  ...shows("Size and coding", "a list that has an end", {
    "any list in any body that a route takes": () => {
      const endless = requestLists().filter(({ schema }) => schema.maxItems === undefined)
      expect(endless.map(({ at }) => at).filter((at) => !BOUNDED_ELSEWHERE.test(at))).toEqual([])
      expect(requestLists().length).toBeGreaterThan(20)
    },
  }),
]

const head = ({ acme }: World, length: string): string =>
  [
    `POST ${PREVIEW} HTTP/1.1`,
    "host: hotswap.example",
    `authorization: Bearer ${acme.tokens.engineer}`,
    length,
    "connection: close\r\n\r\n",
  ].join("\r\n")
const chunk = (bytes: string): string => `${Buffer.byteLength(bytes).toString(16)}\r\n${bytes}\r\n`
const statusesOf = (told: string): string[] =>
  [...told.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => status!)

const overTheWire: Case[] = [
  ...shows(
    "Size and coding",
    "BODY_TOO_LARGE",
    {
      "of a length that is too much, and no body at all": async (world) => {
        const told = await world.write(head(world, `content-length: ${BODY_BYTES_MAX + 1}`))
        expect(told).toContain('"BODY_TOO_LARGE"')
        expect(statusesOf(told)).toEqual(["413"])
      },
      "in pieces that say no length": async (world) => {
        const piece = chunk(" ".repeat(1_000_000))
        const told = await world.write(
          `${head(world, "transfer-encoding: chunked")}${piece.repeat(7)}0\r\n\r\n`,
        )
        expect(told).toContain('"BODY_TOO_LARGE"')
        expect(statusesOf(told)).toEqual(["413"])
      },
      "in pieces without an end": async (world) => {
        const piece = chunk(" ".repeat(1_000_000))
        const told = await world.write(`${head(world, "transfer-encoding: chunked")}${piece.repeat(8)}`)
        expect(statusesOf(told)).toEqual(["413"])
      },
    },
    async (world) => {
      const body = chunk(text("1")) + chunk(" ".repeat(1_000_000))
      const told = await world.write(`${head(world, "transfer-encoding: chunked")}${body}0\r\n\r\n`)
      expect(statusesOf(told)).toEqual(["200"])
    },
  ),
  ...shows("Size and coding", "only what its length says is read", {
    "longer than it says": async (world) => {
      const right = text("1")
      const bytes = `${head(world, `content-length: ${right.length}`)}${right}${text('"more"')}`
      // Whether it is answered before the rest is found out, or after, is a matter of luck; the rest never is.
      expect(statusesOf(await world.write(bytes))).toHaveLength(1)
    },
    "shorter than it says": async (world) => {
      const bytes = `${head(world, "content-length: 500")}${text("1")}`
      const told = await world.write(bytes, { isCutOff: true })
      expect(statusesOf(told)).not.toContain("200")
    },
  }),
]

export const BODY_CASES: readonly Case[] = [...grammar, ...coded, ...large, ...overTheWire]
