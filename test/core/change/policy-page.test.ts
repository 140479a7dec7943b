import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import type { Strategy } from "../../../core/change/change.ts"
import { freezeAt } from "../../../core/change/freeze.ts"
import { defaultPolicy, type Weekday } from "../../../core/change/policy.ts"
import { POLICY_BOUNDS, POLICY_ROLES, parsePolicy } from "../../../core/change/policy-document.ts"
import { DEFAULT_ENVIRONMENTS, type Environment } from "../../../core/environment.ts"
import { PROBLEMS } from "../../../core/errors.ts"
import { GATE, GATE_BOUNDS, type GateThresholds } from "../../../core/gate/thresholds.ts"
import { PLATFORM, type ScopeId } from "../../../core/ids.ts"
import type { JsonObject } from "../../../core/json.ts"

const page = readFileSync(new URL("../../../docs/policies.md", import.meta.url), "utf8")

const production = "Production" as Environment
const defaults = (scope = "acme", environment = production) =>
  defaultPolicy(scope as ScopeId, environment, DEFAULT_ENVIRONMENTS)

/** The rows of the table under the head that begins so. */
const rowsUnder = (head: string): string[][] => {
  const [, after = ""] = page.split(`| ${head} |`)
  const lines = after.split("\n").slice(2)
  return lines.slice(0, lines.indexOf("")).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}
const code = (text: string): string => `\`${text}\``
const number = (value: number): string => value.toLocaleString("en-US", { maximumFractionDigits: 6 })

const UNITS = [
  [86_400_000, "day"],
  [3_600_000, "hour"],
  [60_000, "minute"],
] as const
const duration = (ms: number): string => {
  const [size, name] = UNITS.find(([unit]) => ms >= unit && ms % unit === 0) ?? [1, "ms"]
  return ms === 0 ? "0" : `${ms / size} ${name}${ms === size ? "" : "s"}`
}
const listed = (names: readonly string[]): string => (names.length > 0 ? names.map(code).join(", ") : "none")

const canary = ({ strategy }: { strategy: Strategy }): string => {
  if (strategy.type !== "canary") throw new Error("the page says canary")
  const holds = new Set(strategy.steps.map(({ holdMs }) => duration(holdMs!)))
  return `${strategy.steps.map(({ weightBp }) => number(weightBp)).join(" → ")}, ${[...holds].join()} each`
}

test("the table of members has every one, with its default and its range", () => {
  const policy = defaults()
  const elsewhere = [defaults("acme", "QA" as Environment), defaults(PLATFORM)]
  expect(elsewhere.map(({ strategy }) => strategy.type)).toEqual(["direct", "direct"])
  expect(elsewhere[0]!.stages).toEqual([])
  const { stages, required } = POLICY_BOUNDS
  const stagesShown = policy.stages.map((stage) => `${code(stage.role)} ${stage.required}`).join(", ")
  const between = ({ min, max }: { min: number; max: number }): string => `${min} – ${max}`
  const lasting = (name: "expiresAfterMs" | "remindEveryMs" | "rollbackWindowMs" | "reviewWithinMs") => {
    const { min, max } = POLICY_BOUNDS[name]
    return [duration(policy[name]!), `${duration(min)} – ${duration(max)}`]
  }
  const expected: Record<keyof typeof policy, string[]> = {
    stages: [
      `${stagesShown} in Production; nobody elsewhere`,
      `${between(stages)} stages of ${between(required)} people`,
    ],
    strategy: [
      `${code("canary")} ${canary(policy)}, for tenants in Production; ${code("direct")} elsewhere`,
      "see [strategies](#strategies)",
    ],
    allowedStrategies: [listed(policy.allowedStrategies), between(POLICY_BOUNDS.allowedStrategies)],
    promoteFromAny: [code(String(policy.promoteFromAny)), listed(["false", "true"])],
    expiresAfterMs: lasting("expiresAfterMs"),
    remindEveryMs: lasting("remindEveryMs"),
    rollbackWindowMs: lasting("rollbackWindowMs"),
    reviewWithinMs: lasting("reviewWithinMs"),
    breakGlass: [listed(policy.breakGlass), `0 – ${POLICY_ROLES.length} roles`],
    freezes: [policy.freezes.length === 0 ? "none" : "some", between(POLICY_BOUNDS.freezes)],
    gate: [policy.gate === GATE ? "none" : "some", "see there"],
    snsTopics: [listed(policy.snsTopics), between(POLICY_BOUNDS.snsTopics)],
  }
  expect(rowsUnder("member").map(([name, , ...rest]) => [name, ...rest])).toEqual(
    Object.entries(expected).map(([name, cells]) => [code(name), ...cells]),
  )
})

test("the table of thresholds is that of the code", () => {
  const expected = (Object.keys(GATE) as (keyof GateThresholds)[]).map((name) => {
    const { min, max, why } = GATE_BOUNDS[name]
    return [code(name), number(GATE[name]), `${number(min)} – ${number(max)}`, why]
  })
  const shown = expected.map((cells) => `| ${cells.join(" | ")} |`).join("\n")
  expect(rowsUnder("threshold"), `should be\n${shown}`).toEqual(expected)
})

test("the examples of freezes are so", () => {
  const rows = rowsUnder("zone, window")
  expect(rows.length).toBeGreaterThan(5)
  for (const [window = "", at = "", until = ""] of rows) {
    const [timeZone, days, from, end] = [...window.matchAll(/`([^`]+)`/g)].map(([, text]) => text!)
    const freeze = {
      name: "example",
      timeZone: timeZone!,
      days: days!.split(" ") as Weekday[],
      from: from!,
      until: end!,
    }
    const frozen = freezeAt([freeze], at.replaceAll("`", ""))
    const shown = frozen === null ? "–" : code(frozen.until.replace(".000Z", "Z"))
    expect(shown, `${window} at ${at}`).toBe(until)
  }
})

describe("the examples of policies", () => {
  const puts = [
    ...page.matchAll(
      /curl -X PUT …\/api\/v1\/tenants\/(\S+)\/environments\/(\S+)\/policy .*? -d '([^']+)'/gs,
    ),
  ]
  const json = [...page.matchAll(/```json\n(.*?)```/gs)]

  test.each(puts.map(([, scope, environment, body]) => [scope!, environment!, body!]))(
    "of %s in %s are valid",
    (scope, environment, body) => {
      const { locked, comment: _, ...document } = JSON.parse(body) as JsonObject
      const where = { scope: scope as ScopeId, environment: environment as Environment }
      expect(parsePolicy(document, where)).toEqual(document)
      expect([undefined, true]).toContain(locked)
    },
  )

  test("that stand alone are valid", () => {
    expect([puts.length, json.length]).toEqual([4, 1])
    for (const [, body] of json)
      parsePolicy(JSON.parse(body!) as JsonObject, { scope: "acme" as ScopeId, environment: production })
  })
})

test("it names only codes there are", () => {
  const codes = [...page.matchAll(/`([A-Z]+_[A-Z_]+)`/g)].map(([, name]) => name!)
  expect(codes.length).toBeGreaterThan(4)
  expect(codes.filter((name) => !Object.hasOwn(PROBLEMS, name))).toEqual([])
})
