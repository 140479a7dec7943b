import fc from "fast-check"
import { expect } from "vitest"
import type { Context } from "../../../core/flag/definition.ts"
import { explainFlag } from "../../../core/flag/explain.ts"
import { parseFlag } from "../../../core/flag/flag-document.ts"
import { type Definition, Flags } from "../../../core/flag/flags.ts"
import type { Json } from "../../../core/json.ts"
import { refusedAs } from "../../support/refused.ts"

const OPERATORS =
  "var if ?: and or ! !! == === != !== > >= < <= + - * / % min max in cat substr merge map filter all some none reduce missing missing_some starts_with ends_with sem_ver fractional $ref regex __proto__ constructor toString".split(
    " ",
  )
const REASONS = ["STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED", "PREREQUISITE_FAILED", "ERROR"]

const MEMBERS = ["a", "b", "targetingKey", "$flagd", "toString", "valueOf", "length", "includes", "__proto__"]

/** So deep, as only text makes it. */
const deep = (depth: number, open: string, close: string): Json =>
  JSON.parse(`${open.repeat(depth)}1${close.repeat(depth)}`) as Json

const MEGABYTE = 1_000_000
const LARGE: readonly Json[] = [
  "a".repeat(MEGABYTE),
  "9".repeat(MEGABYTE),
  `${"a".repeat(MEGABYTE / 2)}b${"a".repeat(MEGABYTE / 2 - 1)}`,
  "a.".repeat(MEGABYTE / 2),
  "雪".repeat(MEGABYTE / 4),
  `1.0.0-${"0a.".repeat(MEGABYTE / 4)}`,
  deep(1_000, '{"a":', "}"),
  deep(1_000, "[", "]"),
  deep(100_000, "[", "]"),
  Array.from({ length: 100_000 }, (_, index) => index),
]

const leaf: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>("on", "off", "", null, true, false, 0, -1, 1.5, 1e308),
  fc.string({ maxLength: 5 }),
)

const objectOf = (members: readonly (readonly [string, Json])[]): Json =>
  JSON.parse(
    `{${members.map((each) => each.map((part) => JSON.stringify(part)).join(":")).join(",")}}`,
  ) as Json

const { rule } = fc.letrec<{ rule: Json }>((tie) => ({
  rule: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    fc.constantFrom(
      ...["a", "", "a.a", "accumulator", "current", "targetingKey"].map((path) => ({ var: path })),
    ),
    fc.array(tie("rule"), { maxLength: 4 }),
    fc
      .tuple(fc.constantFrom(...OPERATORS), fc.array(tie("rule"), { maxLength: 4 }))
      .map(([name, operands]) => objectOf([[name, operands]])),
  ),
}))

const definition: fc.Arbitrary<Json> = fc.oneof(
  fc.jsonValue() as fc.Arbitrary<Json>,
  fc.record(
    {
      state: fc.oneof(fc.constantFrom<Json>("ENABLED", "DISABLED"), leaf),
      variants: fc.oneof(fc.constant<Json>({ on: true, off: false }), leaf, fc.constant<Json>({})),
      defaultVariant: fc.oneof(leaf, rule),
      targeting: rule,
      $evaluators: fc.oneof(fc.dictionary(fc.string({ maxLength: 2 }), rule), leaf),
      metadata: leaf,
      enabled: leaf,
      percentage: leaf,
      prerequisites: fc.oneof(
        leaf,
        fc.array(
          fc.record({ flag: fc.constantFrom("it", "other"), variants: fc.oneof(fc.constant(["on"]), leaf) }),
        ),
      ),
    },
    { requiredKeys: ["variants"] },
  ) as fc.Arbitrary<Json>,
)

const context = fc
  .array(
    fc.tuple(
      fc.constantFrom(...MEMBERS),
      fc.oneof(
        { weight: 4, arbitrary: fc.jsonValue() as fc.Arbitrary<Json> },
        { weight: 1, arbitrary: leaf },
        { weight: 1, arbitrary: fc.constantFrom(...MEMBERS).map((name) => objectOf([[name, 1]])) },
      ),
    ),
    { maxLength: 4 },
  )
  .map((members) => objectOf(members) as Context)

const evaluate = (definitions: Readonly<Record<string, Json>>, of: Context) => {
  const flags = new Flags(new Map(Object.entries(definitions) as [string, never][]))
  const evaluation = flags.evaluate("it", of, 1)
  expect(REASONS).toContain(evaluation.reason)
  expect(evaluation.errorCode !== undefined).toBe(evaluation.reason === "ERROR")
  expect(flags.evaluate("it", of, 1)).toEqual(evaluation)
  return evaluation
}

/** Whatever a definition and a context are, there is an answer, and the same one again. */
export const evaluateAnything = (runs: number): void => {
  fc.assert(
    fc.property(definition, definition, context, (it, other, of) => void evaluate({ it, other }, of)),
    { numRuns: runs, seed: 20261121 },
  )
}

/** What is large: whatever the rule does with it, where it stands and how often. */
export const evaluateLarge = (runs: number): void => {
  const of = fc
    .tuple(fc.constantFrom(...LARGE), fc.constantFrom(...LARGE), fc.constantFrom(...LARGE))
    .map(([a, b, targetingKey]): Context => ({ a, b, targetingKey }))
  const aVariable = fc.constantFrom<Json>({ var: "a" }, { var: "b" }, { var: "targetingKey" }, { var: "" })
  const inner = fc.oneof(
    fc.tuple(fc.constantFrom(...OPERATORS), aVariable, aVariable),
    fc.tuple(
      fc.constantFrom(...OPERATORS),
      fc.constantFrom<Json>({ var: "" }, { var: "accumulator" }, { var: "current" }),
      fc.constantFrom<Json>({ var: "" }, { var: "accumulator" }, "x", 1),
    ),
  )
  const large = fc
    .tuple(
      fc.option(fc.constantFrom("map", "filter", "all", "some", "none", "reduce")),
      aVariable,
      inner,
      aVariable,
    )
    .map(([loop, list, [operator, left, right], start]) => {
      const operation = objectOf([[operator, [left, right]]])
      return loop === null ? operation : objectOf([[loop, [list, operation, start]]])
    })
  const on = (targeting: Json): Json => ({
    state: "ENABLED",
    variants: { on: true, off: false },
    targeting: { if: [targeting, "on", "off"] },
  })
  fc.assert(
    fc.property(large, of, (targeting, context) => void evaluate({ it: on(targeting) }, context)),
    { numRuns: runs, seed: 20261121 },
  )
}

/** Rules that are small and would grow beyond all bounds, and flags that lead to each other without end. */
export const evaluateMonsters = (): void => {
  const many: Context = { list: Array.from({ length: 1_000 }, (_, index) => index) }
  const list = { var: "list" }
  const accumulator = { var: "accumulator" }
  const over = (rule: Json, start: Json): Json => ({ reduce: [list, rule, start] })
  const half = "a".repeat(400_000)
  const monsters: readonly [Json, Context][] = [
    [{ cat: over({ cat: [accumulator, accumulator] }, "x") }, many],
    [{ "==": [over([accumulator, accumulator], "x"), "x"] }, many],
    [{ var: over([accumulator, accumulator], "x") }, many],
    [{ in: [over([accumulator, accumulator], "x"), "x"] }, many],
    [over([accumulator, accumulator], "x"), many],
    [over({ merge: [accumulator, accumulator] }, [1]), many],
    [{ missing: over([accumulator, accumulator], "x") }, many],
    [{ map: [list, { map: [{ map: [list, { map: [list, 1] }] }, 1] }] }, many],
    [{ some: [list, { some: [[list, list], { all: [list, { cat: [list, list] }] }] }] }, many],
    [
      { in: [{ var: "part" }, { var: "whole" }] },
      { part: `${half}b${half}`, whole: `${half}${half}${half}` },
    ],
    [deep(10_000, '{"!":[', "]}"), {}],
    [deep(10_000, '{"if":[', ',"on"]}'), {}],
    [{ "==": [deep(10_000, "[", "]"), "x"] }, {}],
  ]
  for (const [targeting, of] of monsters) {
    const it: Json = { state: "ENABLED", variants: { true: 1, false: 0 }, defaultVariant: "true", targeting }
    const evaluation = evaluate({ it }, of)
    expect(explainFlag(new Map([["it", it as never]]), "it", of, 1).evaluation).toEqual(evaluation)
  }
  const shared: Json = {
    state: "ENABLED",
    variants: { on: true },
    $evaluators: { long: Array.from({ length: 10_000 }, () => 1) },
    targeting: { if: [{ in: ["x", Array.from({ length: 10_000 }, () => ({ $ref: "long" }))] }, "on"] },
  }
  expect(evaluate({ it: shared }, {}).errorCode).toBe("PARSE_ERROR")
  refusedAs("FLAG_INVALID", () => parseFlag("it", shared))

  const needing = (flags: readonly string[]): Json => ({
    enabled: true,
    prerequisites: flags.map((flag) => ({ flag, variants: ["on"] })),
  })
  const chain = Array.from({ length: 20_000 }, (_, index): [string, Json] => [
    `${index}`,
    needing([`${index + 1}`]),
  ])
  const wide = Array.from({ length: 60 }, (_, index): [string, Json] => [
    `wide-${index}`,
    needing([`wide-${index + 1}`, `wide-${index + 1}`]),
  ])
  for (const first of ["0", "wide-0", "it"])
    expect(evaluate({ ...Object.fromEntries([...chain, ...wide]), it: needing([first]) }, {}).errorCode).toBe(
      "PARSE_ERROR",
    )
  const whole: Record<string, Definition> = { it: { enabled: true, prerequisites: [] } }
  expect(evaluate(whole as unknown as Record<string, Json>, {}).value).toBe(true)
}
