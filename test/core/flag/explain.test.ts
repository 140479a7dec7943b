import { describe, expect, test } from "vitest"
import { type Explanation, explainFlag } from "../../../core/flag/explain.ts"
import { type Definition, Flags } from "../../../core/flag/flags.ts"
import type { Json } from "../../../core/json.ts"
import { GOLDEN, GOLDEN_SECONDS } from "../../golden/golden.ts"

const said = ({ steps }: Explanation): string | null | undefined => {
  const last = steps.at(-1)
  return last?.kind === "outcome" ? last.variant : undefined
}

test.each(GOLDEN)("tells the story that ends as the evaluation does: $name", ({ flags, flag, context }) => {
  const definitions = new Map(Object.entries(flags))
  const evaluation = new Flags(definitions).evaluate(flag, context, GOLDEN_SECONDS)
  const explanation = explainFlag(definitions, flag, context, GOLDEN_SECONDS)
  expect(explanation.evaluation).toEqual(evaluation)
  const last = explanation.steps.at(-1)
  if (evaluation.reason === "PREREQUISITE_FAILED")
    expect(last).toMatchObject({ kind: "prerequisite", isMet: false })
  else if (evaluation.errorCode === "GENERAL" && last?.kind !== "outcome") expect(last?.kind).toBe("failed")
  else if (evaluation.errorCode === "PARSE_ERROR" || evaluation.errorCode === "FLAG_NOT_FOUND")
    expect(explanation).toMatchObject({ rule: null, steps: [] })
  else if (evaluation.errorCode === undefined) expect(said(explanation)).toBe(evaluation.variant ?? null)
})

describe("what decided", () => {
  const explain = (definition: Json, context = {}, more: Record<string, Json> = {}) => {
    const flags = { it: definition, ...more } as unknown as Record<string, Definition>
    return explainFlag(new Map(Object.entries(flags)), "it", context, GOLDEN_SECONDS)
  }

  test("of a percentage: whom it hashed, the bucket, and the share that has it", () => {
    const { rule, bucket, evaluation } = explain(
      { enabled: true, percentage: 25 },
      { targetingKey: "user-1" },
    )
    expect(rule).toBe("/percentage")
    expect(bucket).toMatchObject({ by: "ituser-1", of: 10_000, shares: [{ to: 2_500 }, { from: 2_500 }] })
    expect(evaluation.variant).toBe(bucket!.bucket! < 2_500 ? "on" : "off")
  })

  test("of a percentage without an entity: that there is nobody to bucket", () => {
    const { rule, bucket, evaluation } = explain({ enabled: true, percentage: 100 })
    expect({ rule, by: bucket?.by, bucket: bucket?.bucket, variant: evaluation.variant }).toEqual({
      rule: "/percentage",
      by: null,
      bucket: null,
      variant: "off",
    })
  })

  test("of rules: each condition up to the one that holds, and the rule under it", () => {
    const { rule, steps } = explain(
      {
        state: "ENABLED",
        variants: { a: 1, b: 2, c: 3 },
        defaultVariant: "a",
        targeting: { if: [{ "==": [{ var: "plan" }, "pro"] }, "b", { $ref: "inTeam" }, "c", null] },
        $evaluators: { inTeam: { in: ["@team", { var: "email" }] } },
      },
      { plan: "free", email: "x@team.example" },
    )
    expect(rule).toBe("/targeting/if/3")
    expect(steps).toEqual([
      { kind: "condition", path: "/targeting/if/0", value: false, holds: false },
      { kind: "condition", path: "/targeting/if/2", value: true, holds: true },
      { kind: "outcome", path: "/targeting/if/3", variant: "c" },
    ])
  })

  test("of a prerequisite that is not met: which one, and why that is so", () => {
    const { rule, steps } = explain(
      { enabled: true, prerequisites: [{ flag: "base", variants: ["on"] }] },
      {},
      {
        base: { enabled: false },
      } as Record<string, Json>,
    )
    expect(rule).toBe("/prerequisites/0")
    expect(steps).toEqual([
      {
        kind: "prerequisite",
        path: "/prerequisites/0",
        flag: "base",
        variants: ["on"],
        variant: "off",
        isMet: false,
        because: [{ kind: "outcome", path: "/enabled", variant: "off" }],
      },
    ])
  })
})
