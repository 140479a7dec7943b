import { describe, expect, test } from "vitest"
import { defaultPolicy } from "../../../core/change/policy.ts"
import { POLICY_BOUNDS, parsePolicy } from "../../../core/change/policy-document.ts"
import { DEFAULT_ENVIRONMENTS, type Environment } from "../../../core/environment.ts"
import { Refusal } from "../../../core/errors.ts"
import { GATE, GATE_BOUNDS, type GateThresholds } from "../../../core/gate/thresholds.ts"
import { PLATFORM, type ScopeId, tierScope } from "../../../core/ids.ts"
import { type Json, type JsonObject, parseJson } from "../../../core/json.ts"

const acme = "acme" as ScopeId
const environment = "Production" as Environment
const parse = (value: Json, scope = acme) => parsePolicy(value, { scope, environment })

const wrong = (value: Json, scope = acme): string[] => {
  try {
    parse(value, scope)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    expect(error.code).toBe("POLICY_INVALID")
    return error.errors.map(({ path }) => path)
  }
  return []
}

const DAY = 86_400_000
const topic = "arn:aws:sns:eu-central-1:123456789012:hotswap-alarms"
const night = { name: "nights", timeZone: "Europe/Berlin", days: ["Fri"], from: "18:00", until: "24:00" }
const holidays = {
  name: "holidays",
  timeZone: "America/New_York",
  from: "2026-12-24T18:00",
  until: "2027-01-02T06:00",
}
const stage = { role: "manager", required: 1 }
const many = <Item>(length: number, item: (index: number) => Item): Item[] =>
  Array.from({ length }, (_, index) => item(index))

const whole: JsonObject = {
  stages: [stage, { role: "compliance", required: 10 }],
  strategy: { type: "canary", steps: [{ weightBp: 500, holdMs: null }] },
  allowedStrategies: ["canary", "blue_green"],
  promoteFromAny: true,
  expiresAfterMs: 90 * DAY,
  remindEveryMs: null,
  rollbackWindowMs: 0,
  reviewWithinMs: 7 * DAY,
  breakGlass: ["tenant_admin"],
  freezes: [night, holidays],
  gate: { ratioMin: 100.5, requestsMin: 1 },
  snsTopics: [topic, "arn:aws-us-gov:sns:us-gov-west-1:123456789012:x.fifo"],
}

describe("a policy that is valid", () => {
  test("is read as it was written, the whole of it or nothing but a member", () => {
    expect(parse(whole)).toEqual(whole)
    expect(parse({})).toEqual({})
    for (const [name, value] of Object.entries(whole))
      expect(parse({ [name]: value })).toEqual({ [name]: value })
    const { strategy: _, allowedStrategies: __, ...rest } = whole
    for (const scope of [PLATFORM, tierScope("Pro")]) expect(parse(rest, scope)).toEqual(rest)
  })

  test("is what every default is, in whatever scope", () => {
    for (const scope of [acme, PLATFORM, tierScope("Pro")])
      for (const each of DEFAULT_ENVIRONMENTS) {
        const policy = defaultPolicy(scope, each, DEFAULT_ENVIRONMENTS)
        expect(parse(policy as unknown as Json, scope)).toEqual(policy)
      }
  })

  test("of the platform or a tier may speak to those who inherit it", () => {
    const canary = { strategy: whole.strategy! }
    const waves = { strategy: { type: "rolling", waves: [{ weightBp: 10_000 }] } }
    for (const scope of [PLATFORM, tierScope("Pro")]) for (const each of [canary, waves]) parse(each, scope)
    expect(wrong(waves)).toEqual(["/strategy"])
  })
})

describe("a policy is refused, each wrong member named,", () => {
  test.each<[string, Json]>([
    ["a list", []],
    ["a text", "{}"],
    ["nothing", null],
  ])("that is %s", (_, value) => {
    expect(wrong(value)).toEqual([""])
  })

  test.each<[string, JsonObject, string[]]>([
    ["a member there is not", { stage: [], "a/b~": 1 }, ["/stage", "/a~1b~0"]],
    ["stages without a list", { stages: stage }, ["/stages"]],
    ["more than ten stages", { stages: many(11, () => stage) }, ["/stages"]],
    ["a role that approves nothing", { stages: [{ role: "viewer", required: 1 }] }, ["/stages/0/role"]],
    ["the platform's role", { stages: [{ role: "platform_admin", required: 1 }] }, ["/stages/0/role"]],
    ["a stage of nobody", { stages: [{ role: "manager", required: 0 }] }, ["/stages/0/required"]],
    ["a stage of eleven", { stages: [{ role: "manager", required: 11 }] }, ["/stages/0/required"]],
    ["a stage of one and a half", { stages: [{ role: "manager", required: 1.5 }] }, ["/stages/0/required"]],
    ["half a stage", { stages: [{ role: "manager" }] }, ["/stages/0/required"]],
    ["a stage with more", { stages: [{ ...stage, any: 1 }] }, ["/stages/0/any"]],
    ["a strategy there is not", { strategy: { type: "hope" } }, ["/strategy/type"]],
    ["a strategy's name alone", { strategy: "direct" }, ["/strategy"]],
    ["a strategy with more", { strategy: { type: "direct", steps: [] } }, ["/strategy/steps"]],
    ["a canary without steps", { strategy: { type: "canary" } }, ["/strategy/steps"]],
    ["a canary of no steps", { strategy: { type: "canary", steps: [] } }, ["/strategy/steps"]],
    [
      "weights that shrink",
      {
        strategy: {
          type: "canary",
          steps: [
            { weightBp: 5, holdMs: 0 },
            { weightBp: 4, holdMs: 0 },
          ],
        },
      },
      ["/strategy/steps/1"],
    ],
    [
      "a weight as text",
      { strategy: { type: "canary", steps: [{ weightBp: "5", holdMs: 0 }] } },
      ["/strategy/steps/0/weightBp"],
    ],
    [
      "parts of a basis point",
      { strategy: { type: "canary", steps: [{ weightBp: 0.5, holdMs: 0 }] } },
      ["/strategy/steps/0"],
    ],
    [
      "a step without a hold",
      { strategy: { type: "canary", steps: [{ weightBp: 5 }] } },
      ["/strategy/steps/0/holdMs"],
    ],
    ["a bake without end", { strategy: { type: "blue_green", bakeMs: null } }, ["/strategy/bakeMs"]],
    ["a bake of two days", { strategy: { type: "blue_green", bakeMs: 2 * DAY } }, ["/strategy/bakeMs"]],
    [
      "a strategy that it forbids",
      { strategy: { type: "direct" }, allowedStrategies: ["canary"] },
      ["/strategy"],
    ],
    ["no strategy at all", { allowedStrategies: [] }, ["/allowedStrategies"]],
    ["a strategy twice", { allowedStrategies: ["direct", "direct"] }, ["/allowedStrategies/1"]],
    ["none that suits", { allowedStrategies: ["rolling"] }, ["/allowedStrategies"]],
    ["a number for a yes", { promoteFromAny: 1 }, ["/promoteFromAny"]],
    ["null for what it inherits", { expiresAfterMs: null }, ["/expiresAfterMs"]],
    ["a role twice", { breakGlass: ["manager", "manager"] }, ["/breakGlass/1"]],
    ["a role that reads", { breakGlass: ["reader"] }, ["/breakGlass/0"]],
    [
      "an end in the year 10,000, which no calendar here counts to",
      { freezes: [{ ...holidays, until: "9999-12-31T23:59" }] },
      ["/freezes/0/until"],
    ],
    ["a threshold there is not", { gate: { ratio: 5 } }, ["/gate/ratio"]],
    ["a threshold as text", { gate: { ratioMin: "100" } }, ["/gate/ratioMin"]],
    ["what is no topic", { snsTopics: ["arn:aws:sqs:eu-central-1:123456789012:x"] }, ["/snsTopics/0"]],
    ["a topic twice", { snsTopics: [topic, topic] }, ["/snsTopics/1"]],
    ["21 topics", { snsTopics: many(21, (index) => `${topic}-${index}`) }, ["/snsTopics"]],
    ["51 freezes", { freezes: many(51, () => night) }, ["/freezes"]],
  ])("with %s", (_, value, paths) => {
    expect(wrong(value)).toEqual(paths)
  })

  test.each<[string, JsonObject, string[]]>([
    ["without a name", { ...night, name: "" }, ["/name"]],
    ["with a name of two lines", { ...night, name: "a\nb" }, ["/name"]],
    ["in no zone", { ...night, timeZone: "Europe/Atlantis" }, ["/timeZone"]],
    ["in an offset, which knows no summer", { ...night, timeZone: "+02:00" }, ["/timeZone"]],
    ["on no day", { ...night, days: [] }, ["/days"]],
    ["on a day twice", { ...night, days: ["Fri", "Fri"] }, ["/days/1"]],
    ["on a day there is not", { ...night, days: ["Friday"] }, ["/days/0"]],
    ["from the end of a day", { ...night, from: "24:00" }, ["/from"]],
    ["until after the end of a day", { ...night, until: "24:01" }, ["/until"]],
    ["at a time of no clock", { ...night, from: "9:00" }, ["/from"]],
    ["once, on a day there is not", { ...holidays, from: "2026-02-30T00:00" }, ["/from"]],
    ["once, at a time of no clock", { ...holidays, until: "2027-01-02T24:00" }, ["/until"]],
    ["once, at a time in a zone", { ...holidays, from: "2026-12-24T18:00Z" }, ["/from"]],
    ["once, that ends as it begins", { ...holidays, until: holidays.from }, ["/until"]],
    ["once, that ends before it begins", { ...holidays, until: "2026-12-24T17:59" }, ["/until"]],
    ["with more", { ...holidays, everyYear: true }, ["/everyYear"]],
    ["without an end", { name: "x", timeZone: "UTC", from: "2026-12-24T18:00" }, ["/until"]],
  ])("with a freeze %s", (_, freeze, paths) => {
    expect(wrong({ freezes: [holidays, freeze] })).toEqual(paths.map((path) => `/freezes/1${path}`))
  })

  test("with a number beyond what a policy may say, by one on either side", () => {
    for (const [name, { min, max }] of Object.entries(POLICY_BOUNDS)) {
      if (!name.endsWith("Ms")) continue
      for (const value of [min, max]) expect(wrong({ [name]: value }), name).toEqual([])
      for (const value of [min - 1, max + 1, min + 0.5])
        expect(wrong({ [name]: value }), name).toEqual([`/${name}`])
    }
  })

  test("with a threshold that would switch the gate off, or make it cry wolf", () => {
    for (const name of Object.keys(GATE) as (keyof GateThresholds)[]) {
      const { min, max, kind } = GATE_BOUNDS[name]
      expect(GATE[name], `the default of ${name}`).toBeGreaterThanOrEqual(min)
      expect(GATE[name], `the default of ${name}`).toBeLessThanOrEqual(max)
      for (const value of [min, max]) expect(wrong({ gate: { [name]: value } })).toEqual([])
      const parts = kind === "whole" ? [min + 0.5] : []
      for (const value of [min - 1, min - min / 10_000 - 1e-9, max * 1.01, ...parts])
        expect(wrong({ gate: { [name]: value } }), `${name}: ${value}`).toEqual([`/gate/${name}`])
    }
  })

  test("with all that is wrong at once", () => {
    const errors = wrong({
      ...whole,
      stages: [{}],
      strategy: {},
      expiresAfterMs: 0,
      nothing: 1,
      freezes: [{}],
    })
    expect(errors).toEqual([
      "/stages/0/role",
      "/stages/0/required",
      "/strategy/type",
      "/expiresAfterMs",
      "/freezes/0/name",
      "/freezes/0/timeZone",
      "/freezes/0/from",
      "/freezes/0/until",
      "/nothing",
    ])
  })

  test("with members that JavaScript's own objects have", () => {
    for (const name of ["__proto__", "constructor", "toString"]) {
      expect(wrong(parseJson(`{"${name}": {}}`))).toEqual([`/${name}`])
      expect(wrong(parseJson(`{"strategy": {"type": "${name}"}}`))).toEqual(["/strategy/type"])
      expect(wrong(parseJson(`{"gate": {"${name}": 5}}`))).toEqual([`/gate/${name}`])
    }
  })
})
