import { describe, expect, test } from "vitest"
import { DEFAULT_ENVIRONMENTS, type Environment } from "../../../core/environment.ts"
import { Refusal } from "../../../core/errors.ts"
import { type Definition, Flags } from "../../../core/flag/flags.ts"
import {
  CONTEXT_BYTES_MAX,
  ofrepRefusal,
  parseContext,
  parseOfrepPath,
  RemoteFlags,
} from "../../../core/flag/ofrep.ts"
import { knownTag, tagText, writeTag } from "../../../core/flag/ofrep-bulk.ts"
import { readTicket, type StreamTicket, writeTicket } from "../../../core/flag/stream-ticket.ts"
import { sha256Hex } from "../../../core/hash.ts"
import { type TenantId, type TokenId, tokenIdOf, type ViewId } from "../../../core/ids.ts"

const codeOf = (body: string): string => {
  try {
    parseContext(body)
    return "taken"
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

const remote = (configs: Record<string, unknown>) =>
  new RemoteFlags(new Map(Object.entries(configs).map(([key, value]) => [key, JSON.stringify(value)])))

const all = (flags: RemoteFlags, context = {}) => {
  const texts = flags.all(context, 0)
  let turns = 0
  let next = texts.next()
  for (; !next.done; next = texts.next()) turns++
  return { turns, told: JSON.parse(next.value) as { key: string }[] }
}

const ON = { state: "ENABLED", variants: { on: true }, defaultVariant: "on" }

describe("a request's body", () => {
  test.each([
    ["nothing", "", "BODY_NOT_JSON"],
    ["no JSON", "{", "BODY_NOT_JSON"],
    ["no object", "[]", "BODY_INVALID"],
    ["no context", "{}", "BODY_INVALID"],
    ["a context that is null", '{"context":null}', "BODY_INVALID"],
    ["a number for a targetingKey", '{"context":{"targetingKey":7}}', "taken"],
    ["a depth of 1,000", `{"context":${'{"a":'.repeat(1_000)}1${"}".repeat(1_001)}`, "JSON_TOO_DEEP"],
    ["a megabyte", `{"context":{"a":"${"x".repeat(1_000_000)}"}}`, "CONTEXT_TOO_LARGE"],
    [
      "more bytes than characters",
      `{"context":{"a":"${"€".repeat(CONTEXT_BYTES_MAX / 2)}"}}`,
      "CONTEXT_TOO_LARGE",
    ],
    ["a context without a targetingKey", '{"context":{}}', "taken"],
  ])("with %s is %s", (_, body, code) => {
    expect(codeOf(body)).toBe(code)
  })

  test("is refused in the protocol's words, and in those of every other refusal", () => {
    const { status, headers, body } = ofrepRefusal(new Refusal("JSON_TOO_DEEP", "Too deep."), "new-ui", "1")
    expect([status, headers["content-type"]]).toEqual([400, "application/json; charset=utf-8"])
    expect(JSON.parse(body)).toMatchObject({
      key: "new-ui",
      errorCode: "INVALID_CONTEXT",
      errorDetails: "Too deep.",
      code: "JSON_TOO_DEEP",
      status: 400,
    })
  })
})

test("a path asks for all flags, or for the one whose key it holds, however odd", () => {
  const flags = "/ofrep/v1/evaluate/flags"
  expect(parseOfrepPath(flags)).toEqual({ key: null })
  expect(parseOfrepPath(`${flags}/a%2Fb`)).toEqual({ key: "a/b" })
  expect(parseOfrepPath(`${flags}/a/b`)).toEqual({ key: "a/b" })
  expect(parseOfrepPath(`${flags}/%`)).toEqual({ key: "%" })
  for (const other of [`${flags}/`, "/ofrep/v1/configuration", "/ofrep/v1/evaluate"])
    expect(parseOfrepPath(other)).toBeNull()
})

describe("the flags of a view", () => {
  test("are those configs that are flags, and no others", () => {
    const flags = remote({
      flag: ON,
      text: '{"state":"ENABLED","variants":{}}',
      list: [ON],
      nested: { a: { state: "ENABLED", variants: {} } },
      other: { state: "of affairs", variants: {} },
      constructor: ON,
    })
    expect(all(flags).told.map(({ key }) => key)).toEqual(["flag", "constructor"])
    expect(flags.one("nested", {}, 0)).toMatchObject({ status: 404 })
    expect(flags.one("toString", {}, 0)).toMatchObject({ status: 404 })
  })

  test("that cannot be evaluated are told beside the others, each with its error", () => {
    const broken = { ...ON, targeting: { nonsense: [] } }
    const { told } = all(remote({ broken, flag: ON }))
    expect(told).toMatchObject([
      { key: "broken", errorCode: "PARSE_ERROR" },
      { key: "flag", value: true, variant: "on", reason: "STATIC" },
    ])
    expect(remote({ broken }).one("broken", {}, 0).status).toBe(400)
  })

  test("have only flat metadata, as the protocol has it", () => {
    const flags = remote({ flag: { ...ON, metadata: { team: "a", n: 1, is: true, deep: {}, none: null } } })
    expect(all(flags).told).toMatchObject([{ metadata: { team: "a", n: 1, is: true } }])
    expect(JSON.stringify(all(flags).told)).not.toMatch(/deep|none/)
  })

  test("let others have a turn while there are many of them", () => {
    const many = remote(Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`flag.${n}`, ON])))
    const { turns, told } = all(many)
    expect(told).toHaveLength(10_000)
    expect(turns).toBeGreaterThanOrEqual(40)
  })

  test("that are too much work together for a context are told so, and others have had a turn between them", () => {
    const rule = { some: [{ var: "list" }, { "===": [{ var: "" }, "nobody"] }] }
    const flag = { ...ON, targeting: { if: [rule, "on", null] } }
    const many = remote(Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`flag.${n}`, flag])))
    const { turns, told } = all(many, { list: Array.from({ length: 50_000 }, () => 1) })
    expect(told).toHaveLength(500)
    expect(told[0]).toMatchObject({ value: true })
    expect(told.at(-1)).toMatchObject({ key: "flag.499", errorCode: "GENERAL" })
    expect(turns).toBeGreaterThan(2)
    expect(all(many, { list: [] }).told.at(-1)).toMatchObject({ key: "flag.499", value: true })
  })

  test("are kept ready for so many parts of their rules, and beyond that are made ready anew", () => {
    const long = { cat: Array(900).fill({ var: "a" }) }
    const rule = { if: [{ or: Array(18).fill({ $ref: "long" }) }, "on", null] }
    const flag = { ...ON, $evaluators: { long }, targeting: rule }
    const many = remote(Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`flag.${n}`, flag])))
    const sizes: number[] = []
    for (let n = 0; n < 80; n++) {
      expect(many.one(`flag.${n % 40}`, { a: "x" }, 0)).toMatchObject({ status: 200 })
      sizes.push(many.readyParts)
    }
    expect(sizes[0]).toBeGreaterThan(18 * 900)
    expect(Math.max(...sizes)).toBeLessThan(600_000)
    expect(Math.max(...sizes)).toBeGreaterThan(400_000)
  })

  test("count for as much memory as the view they are read from takes", () => {
    const flags = remote({ flag: ON, plain: "x".repeat(10_000) })
    expect(flags.characters).toBeLessThan(100)
    expect(flags.viewCharacters).toBeGreaterThan(10_000)
  })

  test("that need the same others have them made ready once", () => {
    const needing = (names: readonly string[]) => ({
      ...ON,
      prerequisites: names.map((flag) => ({ flag, variants: ["on"] })),
    })
    let read = 0
    const definitions = new Map<string, Definition>([["needed", ON as Definition]])
    const names = Array.from({ length: 50 }, (_, n) => `flag.${n}`)
    for (const name of names) definitions.set(name, needing(["needed"]) as Definition)
    const flags = new Flags({
      keys: () => definitions.keys(),
      get: (key) => {
        const found = definitions.get(key)
        // Only who makes it ready looks at what it says.
        return key !== "needed" || !found
          ? found
          : new Proxy(found, {
              get: (target, member, receiver) => {
                if (member === "targeting") read++
                return Reflect.get(target, member, receiver) as unknown
              },
            })
      },
    })
    expect(flags.evaluate("flag.0", {}, 0)).toMatchObject({ value: true })
    const once = read
    for (const name of names) expect(flags.evaluate(name, {}, 0)).toMatchObject({ value: true })
    expect([once > 0, read]).toEqual([true, once])
  })

  test("are known to read the time, also by a name that is put together", () => {
    const timed = (path: unknown) => remote({ flag: { ...ON, targeting: { var: path } } }).isTimed
    expect(timed("$flagd.timestamp")).toBe(true)
    expect(timed({ cat: ["$fl", "agd.timestamp"] })).toBe(true)
    expect(timed([{ cat: ["$fl", "agd.timestamp"] }, 1])).toBe(true)
    expect(timed("email")).toBe(false)
    // As the format's own examples do: the same for ever.
    expect(timed("$flagd.flagKey")).toBe(false)
    expect(timed(["$flagd.flagKey", "x"])).toBe(false)
  })
})

describe("an entity tag", () => {
  const digest = "0".repeat(32)

  test("is of the tenant, its flags, the arm and the context, however that is spelt", () => {
    const acme = {
      tenantId: "acme" as TenantId,
      environment: "Production" as Environment,
      stable: "0".repeat(64) as ViewId,
      candidate: null,
      flags: "f",
    }
    const context = { a: 1, b: { c: 2, d: 3 } }
    const text = tagText(acme, "stable", context, null)
    expect(tagText(acme, "stable", { b: { d: 3, c: 2 }, a: 1 }, null)).toBe(text)
    for (const other of [
      tagText({ ...acme, flags: "g" }, "stable", context, null),
      tagText({ ...acme, tenantId: "other" as TenantId }, "stable", context, null),
      tagText({ ...acme, environment: "Staging" as Environment }, "stable", context, null),
      tagText(acme, "candidate", context, null),
      tagText(acme, "stable", { a: 1, b: { c: 2 } }, null),
      tagText(acme, "stable", context, 7),
    ])
      expect(other).not.toBe(text)
  })

  test("is known again, among others, for as long as the ticket that came with it is good", () => {
    const tag = writeTag(digest, 1_060)
    expect(knownTag(`"x", ${tag}`, digest, 1_000, true)).toBe(tag)
    expect(knownTag(tag, digest, 1_055, true)).toBeNull()
    // Who needs no ticket is told that nothing has changed.
    expect(knownTag(tag, digest, 9_999, false)).toBe(tag)
    expect(knownTag(writeTag(digest, null), digest, 9_999, true)).toBe(writeTag(digest, null))
  })

  test("of anything else is not", () => {
    for (const other of [null, undefined, "", "*", `W/"${"1".repeat(32)}"`, `"${digest}x"`])
      expect(knownTag(other, digest, 0, false)).toBeNull()
  })
})

describe("a stream's ticket", () => {
  const ticket: StreamTicket = {
    tenantId: "acme" as TenantId,
    environment: "Production" as Environment,
    tokenId: tokenIdOf("acme" as TenantId, "0".repeat(32)) as TokenId,
    tokenExpiresAtSeconds: 2_000,
    revision: "1.2.3.4",
    flags: "0123456789abcdef",
    expiresAtSeconds: 1_060,
  }
  const signer = (secret: string) => (text: string) => sha256Hex(`${secret}${text}`)
  const read = (text: string, secret = "a") => readTicket(text, signer(secret), DEFAULT_ENVIRONMENTS)

  test("says what it was made with, to whoever has the key", async () => {
    const text = await writeTicket(ticket, signer("a"))
    expect(text).toMatch(/^[\w.-]+$/)
    expect(await read(text)).toEqual(ticket)
    expect(await read(text, "b")).toBeNull()
  })

  test("that was altered anywhere is none", async () => {
    const text = await writeTicket(ticket, signer("a"))
    for (let at = 0; at < text.length; at++) {
      const altered = `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`
      expect(await read(altered), altered).toBeNull()
    }
    for (const other of ["", "1..", `${text}0`, text.slice(0, -1), text.replace("1.", "2.")])
      expect(await read(other)).toBeNull()
  })
})
