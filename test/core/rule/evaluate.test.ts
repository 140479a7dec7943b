import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { ConfigKey, ScopeId } from "../../../core/ids.ts"
import { canonical, type Json } from "../../../core/json.ts"
import { brokenAmong, keysOfRule } from "../../../core/rule/evaluate.ts"
import type { Rule } from "../../../core/rule/rule.ts"
import { parseRules } from "../../../core/rule/rule-document.ts"

const seed = 20261122
const scope = "acme-corp" as ScopeId
const rule = (rest: Partial<Rule>): Rule => ({ id: "one", description: "It is asked.", ...rest })
const isBroken = (of: Partial<Rule>, configs: Record<string, Json>): boolean => {
  const rules = parseRules([rule(of)] as unknown as Json)
  const valueAt = (key: ConfigKey) => (Object.hasOwn(configs, key) ? configs[key] : undefined)
  return (
    brokenAmong(
      rules.map((one) => ({ scope, rule: one })),
      valueAt,
    ).length === 1
  )
}
const POOL = { require: { "<=": [{ var: "pool.min" }, { var: "pool.max" }] } }

describe("a rule", () => {
  test("is about configs by their whole keys, dots and all, and about parts of values", () => {
    expect(isBroken(POOL, { "pool.min": 2, "pool.max": 5 })).toBe(false)
    expect(isBroken(POOL, { "pool.min": 7, "pool.max": 5, pool: { min: 1 } })).toBe(true)
    const inside = { require: { "==": [{ var: "server/limits.max/0" }, { var: "server/a~1b" }] } }
    expect(isBroken(inside, { server: { "limits.max": [3], "a/b": 3 } })).toBe(false)
    expect(isBroken(inside, { server: { "limits.max": [4], "a/b": 3 } })).toBe(true)
    expect(keysOfRule(rule({ ...inside, when: { var: "on" } }))).toEqual(["on", "server"])
  })

  test("holds where its condition is not met, and forbids as it requires", () => {
    const when = { "===": [{ var: "mode" }, "paid"] }
    const paid = { when, require: { "!": [{ missing: ["pay.url", "pay.key"] }] } }
    expect(isBroken(paid, {})).toBe(false)
    expect(isBroken(paid, { mode: "paid", "pay.url": "https://pay.example" })).toBe(true)
    expect(isBroken(paid, { mode: "paid", "pay.url": "u", "pay.key": { $secret: true, version: 1 } })).toBe(
      false,
    )
    const both = { forbid: { and: [{ var: "a" }, { var: "b" }] } }
    expect([isBroken(both, { a: true, b: true }), isBroken(both, { a: true })]).toEqual([true, false])
  })

  test("knows lists, counts what is there, and takes what is inherited by every object for nothing", () => {
    const shares = {
      require: {
        "==": [
          { reduce: [{ var: "shares" }, { "+": [{ var: "current" }, { var: "accumulator" }] }, 0] },
          100,
        ],
      },
    }
    expect([isBroken(shares, { shares: [60, 40] }), isBroken(shares, { shares: [60, 50] })]).toEqual([
      false,
      true,
    ])
    const some = { forbid: { missing_some: [1, ["a.b", "c"]] } }
    expect([isBroken(some, { c: 1 }), isBroken(some, { "a.b": null, c: "" })]).toEqual([false, true])
    const named = { require: { in: ["a.b", { missing: ["a.b", "c"] }] } }
    expect([isBroken(named, { c: 1 }), isBroken(named, { "a.b": 1 })]).toEqual([false, true])
    expect(isBroken({ forbid: { var: "constructor" } }, {})).toBe(false)
    expect(isBroken({ forbid: { var: "a/constructor" } }, { a: {} })).toBe(false)
  })

  test("that costs too much does not hold, and says so; those before it are as they were", () => {
    const heavy = { map: [{ var: "list" }, { map: [{ var: "" }, { "+": [1, 1, 1, 1, 1, 1] }] }] }
    const rules = parseRules([rule(POOL), rule({ id: "heavy", require: heavy })] as unknown as Json)
    const list = Array.from({ length: 1_000 }, () => Array.from({ length: 1_000 }, () => 1))
    const broken = brokenAmong(
      rules.map((one) => ({ scope, rule: one })),
      (key) => (key === "list" ? list : 1),
    )
    expect(broken).toEqual([
      { scope, rule: rules[1], keys: ["list"], failure: expect.stringContaining("too much work") },
    ])
  })

  test("of any conditions, about any values, has an answer, and the same one again", () => {
    const reference = fc.constantFrom("a", "a.b", "c/d", "c/0")
    const leaf = fc.oneof(
      fc.jsonValue({ maxDepth: 1 }) as fc.Arbitrary<Json>,
      reference.map((name): Json => ({ var: name })),
      fc.array(reference, { minLength: 1, maxLength: 3 }).map((names): Json => ({ missing: names })),
    )
    const operator = fc.constantFrom(
      "==",
      "<=",
      "and",
      "or",
      "+",
      "cat",
      "in",
      "%",
      "!==",
      "map",
      "some",
      "sem_ver",
    )
    const condition = fc.letrec<{ any: Json }>((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc
          .tuple(operator, tie("any"), tie("any"))
          .map(([name, one, other]): Json => ({ [name]: [one, other] })),
      ),
    })).any
    const values = fc.dictionary(fc.constantFrom("a", "a.b", "c"), fc.jsonValue() as fc.Arbitrary<Json>)
    fc.assert(
      fc.property(condition, values, (asked, configs) => {
        const one = { scope, rule: rule({ require: asked }) }
        const valueAt = (key: ConfigKey) => configs[key]
        const first = brokenAmong([one], valueAt)
        expect(brokenAmong([one], valueAt)).toEqual(first)
        const forbidden = brokenAmong([{ scope, rule: rule({ forbid: asked }) }], valueAt)
        const failed = first[0]?.failure !== undefined
        expect(first.length + forbidden.length).toBe(failed ? 2 : 1)
      }),
      { seed, numRuns: 500 },
    )
  })
})

describe("rules as they are written", () => {
  const refused = (rules: unknown): unknown => {
    try {
      parseRules(rules as Json)
    } catch (error) {
      return (error as { code: string; errors: { path: string }[] }).errors.map(({ path }) => path)
    }
    return "taken"
  }
  test("are refused as a whole, with the place of all that is wrong", () => {
    expect(refused({})).toEqual(["/rules"])
    expect(refused([{ id: "a b", description: "", require: true, other: 1 }])).toEqual([
      "/rules/0/id",
      "/rules/0/description",
      "/rules/0/other",
    ])
    expect(refused([rule(POOL), rule(POOL)])).toEqual(["/rules/1/id"])
    expect(refused([rule({})])).toEqual(["/rules/0"])
    expect(refused([rule({ ...POOL, forbid: { var: "a" } })])).toEqual(["/rules/0"])
    expect(refused([rule({ require: true })])).toEqual(["/rules/0"])
    expect(refused([rule({ require: { unknown: [{ var: "a" }] } })])).toEqual(["/rules/0/require/unknown"])
    expect(refused([rule({ require: { fractional: [["a", 1]] } })])).not.toBe("taken")
    expect(refused([rule({ require: { $ref: "other" } })])).not.toBe("taken")
  })

  test("name configs by texts that are keys, so that it is known what they are about", () => {
    for (const name of ["", "~policy", "$flagd.timestamp", "a b", "a/~2", 7, { var: "a" }, ["a"]])
      expect(refused([rule({ require: { and: [{ var: "a" }, { var: [name] }] } })])).toEqual([
        "/rules/0/require/and/1/var/0",
      ])
    expect(refused([rule({ when: { missing: ["a", ["b"]] }, ...POOL })])).toEqual(["/rules/0/when/missing/1"])
    expect(refused([rule({ forbid: { missing_some: [1, ["a", 2]] } })])).toEqual([
      "/rules/0/forbid/missing_some/1/1",
    ])
  })

  test("are as many, as long, and about as many configs as is said, and no more", () => {
    const many = (count: number) => Array.from({ length: count }, (_, n) => rule({ ...POOL, id: `r${n}` }))
    const about = (count: number) => [
      rule({ require: { missing: Array.from({ length: count }, (_, n) => `k${n}`) } }),
    ]
    expect([refused(many(100)), refused(many(101))]).toEqual(["taken", ["/rules"]])
    expect([refused(about(50)), refused(about(51))]).toEqual(["taken", ["/rules/0"]])
    const long = [rule({ require: { in: [{ var: "a" }, "x".repeat(33_000)] } })]
    expect(refused(long)).toEqual(["/rules"])
    expect(canonical(parseRules(many(2) as unknown as Json) as unknown as Json)).toBe(
      canonical(many(2) as unknown as Json),
    )
  })
})
