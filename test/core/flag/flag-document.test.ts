import { readFileSync } from "node:fs"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { Context } from "../../../core/flag/definition.ts"
import { parseFlag } from "../../../core/flag/flag-document.ts"
import { type Definition, Flags } from "../../../core/flag/flags.ts"
import type { Json } from "../../../core/json.ts"
import { refusedAs } from "../../support/refused.ts"

const flagWith = (targeting: Json, more: object = {}): Json => ({
  state: "ENABLED",
  variants: { on: true, off: false },
  defaultVariant: "off",
  targeting,
  ...more,
})

describe("a definition that would not evaluate is refused, with where and why", () => {
  const wrong: [string, Json, string][] = [
    ["no object", 7, ""],
    ["no members", {}, "/state"],
    ["an unknown member", { enabled: true, percent: 5 }, "/percent"],
    ["enabled that is a text", { enabled: "yes" }, "/enabled"],
    ["more than everybody", { enabled: true, percentage: 100.5 }, "/percentage"],
    ["less than nobody", { enabled: true, percentage: -1 }, "/percentage"],
    ["a third decimal", { enabled: true, percentage: 33.333 }, "/percentage"],
    ["an unknown state", { state: "ON", variants: { on: true } }, "/state"],
    ["no variants", { state: "ENABLED", variants: {} }, "/variants"],
    ["variants of two types", { state: "ENABLED", variants: { on: true, off: "false" } }, "/variants"],
    [
      "a default that is none",
      { state: "ENABLED", variants: { on: true }, defaultVariant: "purple" },
      "/defaultVariant",
    ],
    ["an unknown operator", flagWith({ if: [{ regex: ["a", "b"] }, "on", "off"] }), "/targeting/if/0/regex"],
    ["a result that is no variant", flagWith({ if: [true, "purple", "off"] }), "/targeting/if/1"],
    ["a boolean without such a variant", flagWith({ if: [true, true, "off"] }), "/targeting/if/1"],
    ["a number for a result", flagWith({ if: [true, 1] }), "/targeting/if/1"],
    [
      "two operators in one object",
      flagWith({ if: [{ "==": [1, 1], "!=": [1, 2] }, "on"] }),
      "/targeting/if/0",
    ],
    ["operands too few", flagWith({ if: [{ "==": [1] }, "on"] }), "/targeting/if/0/=="],
    [
      "sem_ver's operator",
      flagWith({ if: [{ sem_ver: ["1.0.0", "=>", "1.0.0"] }, "on"] }),
      "/targeting/if/0/sem_ver/1",
    ],
    [
      "shares of nothing",
      flagWith({
        fractional: [
          ["on", 0],
          ["off", 0],
        ],
      }),
      "/targeting/fractional",
    ],
    ["no shares", flagWith({ fractional: [{ var: "email" }] }), "/targeting/fractional"],
    [
      "half a weight",
      flagWith({
        fractional: [
          ["on", 0.5],
          ["off", 1],
        ],
      }),
      "/targeting/fractional/0/1",
    ],
    [
      "a weight below nothing",
      flagWith({
        fractional: [
          ["on", -1],
          ["off", 1],
        ],
      }),
      "/targeting/fractional/0/1",
    ],
    [
      "weights too heavy",
      flagWith({
        fractional: [
          ["on", 2_147_483_647],
          ["off", 1],
        ],
      }),
      "/targeting/fractional",
    ],
    ["a share of no variant", flagWith({ fractional: [["purple", 1]] }), "/targeting/fractional/0/0"],
    ["a share that is a text", flagWith({ fractional: [["on", 1], "off"] }), "/targeting/fractional/1"],
    ["a shared rule that is not there", flagWith({ if: [{ $ref: "gone" }, "on"] }), "/targeting/if/0/$ref"],
    [
      "shared rules that name each other",
      flagWith(null, { $evaluators: { a: { $ref: "b" }, b: true } }),
      "/$evaluators/a/$ref",
    ],
    [
      "shared rules that make it many times as long",
      flagWith(
        { if: [{ and: Array(60).fill({ $ref: "long" }) }, "on"] },
        { $evaluators: { long: { in: ["x", Array(900).fill(1)] } } },
      ),
      "/targeting",
    ],
    [
      "lists in lists in lists",
      flagWith({ some: [[], { some: [[], { some: [[], true] }] }] }),
      "/targeting/some/1/some/1",
    ],
    [
      "itself as a prerequisite",
      { enabled: true, prerequisites: [{ flag: "it", variants: ["on"] }] },
      "/prerequisites/0/flag",
    ],
    [
      "a prerequisite of nothing",
      { enabled: true, prerequisites: [{ flag: "other", variants: [] }] },
      "/prerequisites/0/variants",
    ],
  ]
  test.each(wrong)("%s", (_, value, path) => {
    const refusal = refusedAs("FLAG_INVALID", () => parseFlag("it", value))
    expect(refusal.errors?.map((each) => each.path)).toContain(path)
  })
})

test("what is said of a definition that is wrong everywhere stays short", () => {
  const deep = `${'{"!":['.repeat(55)}${JSON.stringify(Array(2_000).fill({ ["x".repeat(90)]: 1 }))}${"]}".repeat(55)}`
  const long = { fractional: Array(2_000).fill(["y".repeat(1_000), 1]) }
  for (const targeting of [JSON.parse(deep) as Json, long]) {
    const { message, errors } = refusedAs("FLAG_INVALID", () => parseFlag("it", flagWith(targeting)))
    expect(message.length + JSON.stringify(errors).length).toBeLessThan(20_000)
  }
})

test("every golden flag that evaluates without an error passes, and none that cannot be compiled", () => {
  const groups = JSON.parse(readFileSync(new URL("../../golden/flags.json", import.meta.url), "utf8")) as {
    flags: Record<string, Json>
    cases: [string, Context, { errorCode?: string }][]
  }[]
  for (const { flags, cases } of groups)
    for (const [name, , { errorCode }] of cases) {
      const isRound = name === "round" || name === "about" || name === "on-a-circle"
      if (errorCode !== "PARSE_ERROR" || isRound) continue
      refusedAs("FLAG_INVALID", () => parseFlag(name, flags[name]!))
    }
  for (const [name, definition] of Object.entries(groups.at(-1)!.flags))
    if (name !== "itself") expect(parseFlag(name, definition)).toMatchObject(definition as object)
})

describe("whatever a definition and a context are", () => {
  const leaf = fc.oneof(
    fc.constantFrom<Json>("on", "off", "purple", "", null, true, false, 0, -1, 1.5, 1e308),
    fc.string({ maxLength: 5 }) as fc.Arbitrary<Json>,
  )
  const names = fc.constantFrom(
    ..."var if ?: and or ! !! == === != !== > >= < <= + - * / % min max in cat substr merge map filter all some none reduce missing missing_some starts_with ends_with sem_ver fractional $ref regex __proto__ constructor".split(
      " ",
    ),
  )
  const { rule } = fc.letrec<{ rule: Json }>((tie) => ({
    rule: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      leaf,
      fc.constantFrom<Json>({ var: "a" }, { var: "" }, { var: "a.b" }, { var: "targetingKey" }),
      fc.array(tie("rule"), { maxLength: 4 }),
      fc
        .tuple(names, fc.array(tie("rule"), { maxLength: 4 }))
        .map(([name, args]) => JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(args)}}`) as Json),
    ),
  }))
  const context = fc.dictionary(fc.constantFrom("a", "b", "targetingKey", "toString"), fc.jsonValue(), {
    maxKeys: 4,
  }) as fc.Arbitrary<Context>
  const evaluate = (definition: Json, of: Context) =>
    new Flags(new Map([["it", definition as unknown as Definition]])).evaluate("it", of, 1)

  test("evaluating never throws, and what passed is never a PARSE_ERROR", () => {
    let passed = 0
    fc.assert(
      fc.property(rule, context, (targeting, of) => {
        const definition = flagWith(targeting)
        const { reason, value, errorCode } = evaluate(definition, of)
        if (reason === "ERROR") expect(errorCode).toMatch(/^(GENERAL|PARSE_ERROR)$/)
        else expect(value).toBeTypeOf("boolean")
        try {
          parseFlag("it", definition)
        } catch {
          return
        }
        passed++
        expect(errorCode).not.toBe("PARSE_ERROR")
      }),
      { numRuns: 3_000, seed: 42 },
    )
    expect(passed).toBeGreaterThan(100)
  })

  test("a context that is deep or large, and a rule that doubles its text, come to an answer", () => {
    const deep = JSON.parse(`${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}`) as Context
    expect(evaluate(flagWith({ if: [{ "==": [{ var: "a" }, "x"] }, "on", "off"] }), deep).variant).toBe("off")
    const nested = JSON.parse(`${"[".repeat(50_000)}${"]".repeat(50_000)}`) as Json
    expect(evaluate(flagWith({ cat: [{ var: "a" }] }), { a: nested }).reason).toBe("ERROR")
    const many = { a: Array.from({ length: 1_000 }, (_, index) => index) }
    const square = flagWith({ some: [{ var: "a" }, { some: [{ map: [[1], { var: "" }] }, false] }] })
    expect(evaluate(square, many).errorCode).toBe("GENERAL")
    const doubling = flagWith({
      reduce: [{ var: "a" }, { cat: [{ var: "accumulator" }, { var: "accumulator" }] }, "xx"],
    })
    expect(evaluate(doubling, many).errorMessage).toContain("65536")
  })
})
