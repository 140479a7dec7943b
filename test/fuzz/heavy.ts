import type { Chance } from "./chance.ts"

/** How the largest of what is allowed looks, and a little more. */
const times = <T>(many: number, make: (index: number) => T): T[] =>
  Array.from({ length: many }, (_, index) => make(index))

const SCHEMAS: readonly ((many: number) => unknown)[] = [
  (many) => ({
    type: "object",
    properties: Object.fromEntries(times(many, (i) => [`p${i}`, { type: "string" }])),
  }),
  (many) => ({ anyOf: times(many, (i) => ({ const: i })) }),
  (many) => ({ allOf: times(many, (i) => ({ type: "object", required: [`r${i}`] })) }),
  () => ({ type: "string", pattern: "^(a+)+$" }),
  () => ({ type: "string", pattern: "(x{1,1000}){1,1000}" }),
  () => ({ type: "string", pattern: "^(([a-z])+.)+[A-Z]([a-z])+$" }),
  (many) => ({ enum: times(many, (i) => `value ${i}`) }),
  () => ({ $ref: "https://example.invalid/schema.json" }),
  () => ({ $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } }, $ref: "#/$defs/a" }),
  () => times(40, (i) => i).reduce<unknown>((inner) => ({ properties: { x: inner } }), true),
  (many) => ({
    patternProperties: Object.fromEntries(
      times(Math.min(many, 300), (i) => [`^k${i}.*[0-9]{1,20}$`, { type: "integer" }]),
    ),
  }),
  () => ({ uniqueItems: true, type: "array" }),
]

const value = (bytes: number): unknown => "v".repeat(bytes)

const heavyRules = (chance: Chance) => ({
  rules: times(chance.one([90, 100, 101]), (i) => ({
    id: `rule.${i}`,
    description: "Of as many configs as may be.",
    forbid: { missing: times(chance.one([20, 50]), (k) => `many.${k}`) },
  })),
})

/** A body that costs as much as one can, for the operations that take one. */
export const HEAVY: Readonly<Record<string, (body: Record<string, unknown>, chance: Chance) => unknown>> = {
  submitChange: ({ tenantId, environment }, chance) => {
    const many = chance.one([100, 1_000, 5_000, 10_000, 10_001])
    return {
      tenantId,
      environment,
      edits: times(many, (i) => ({ key: `many.${i}`, value: chance.of(0.5) ? i : { i } })),
    }
  },
  previewChange: ({ tenantId, environment }, chance) => ({
    tenantId,
    environment,
    edits: times(chance.one([1_000, 10_000]), (i) => ({ key: `many.${i}`, value: i })),
    contexts: times(1_000, (i) => ({ targetingKey: `subject ${i}` })),
  }),
  createConfig: (body, chance) => ({
    ...body,
    key: `big.${chance.below(20)}`,
    ...chance.one([
      { value: value(262_142) },
      { value: value(262_143) },
      { value: value(5_000_000) },
      { value: times(20_000, (i) => i) },
      { value: Object.fromEntries(times(10_000, (i) => [`m${i}`, i])) },
      { value: `${"a".repeat(30_000)}!`, schema: chance.one(SCHEMAS)(4_000) },
      { value: times(3_000, (i) => ({ i })), schema: { uniqueItems: true, type: "array" } },
      { value: {}, schema: chance.one(SCHEMAS)(1_000) },
    ]),
  }),
  editConfig: (_body, chance) => ({
    value: `${"a".repeat(chance.one([30, 30_000]))}!`,
    schema: chance.one(SCHEMAS)(chance.one([100, 1_600, 4_900])),
  }),
  setPolicy: (_body, chance) => ({
    freezes: times(chance.one([50, 51]), (i) => ({
      name: `freeze ${i}`,
      timeZone: "Europe/Berlin",
      days: ["Sun"],
      from: "22:00",
      until: "05:00",
    })),
    snsTopics: times(20, (i) => `arn:aws:sns:eu-central-1:123456789012:alarms-${i}`),
  }),
  setRules: (_body, chance) => heavyRules(chance),
  checkRules: (_body, chance) => heavyRules(chance),
  signalEnvironment: () => ({
    version: "4",
    alerts: times(1_000, (i) => ({
      status: "firing",
      labels: { alertname: `Errors ${i}` },
      annotations: { summary: "x".repeat(500) },
    })),
  }),
  reportOutcomes: (body) => {
    const [report] = body.reports as Record<string, unknown>[]
    return {
      reports: times(500, (i) => ({
        ...report,
        instance: `web-${i}`,
        latency: times(64, (bucket) => [bucket + 1, 5]),
      })),
    }
  },
  createTenant: (body) => ({ ...body, quotas: Object.fromEntries(times(20_000, (i) => [`q${i}`, i])) }),
  updateTenant: () => ({ quotas: Object.fromEntries(times(20_000, (i) => [`q${i}`, i])) }),
}

/** Bodies that no route takes, and that cost whoever reads them to the end. */
export const MONSTROUS: readonly (() => string)[] = [
  () => `{"a":"${"x".repeat(6 * 1024 * 1024)}"}`,
  () => `{"a":"${"x".repeat(6 * 1024 * 1024 - 9)}"}`,
  () => `[${"1,".repeat(1_000_000)}1]`,
  () => `{${times(200_000, (i) => `"k${i}":${i}`).join(",")}}`,
  () => `{${times(99_999, (i) => `"k${i}":${i}`).join(",")}}`,
  () => `{"edits":[${times(33_000, (i) => `{"key":"k${i}","value":${i},"surplus":1}`).join(",")}]}`,
  () => `{"edits":[${times(10_000, (i) => `{"kex":"k${i}","value":${i},"surplus":1}`).join(",")}]}`,
  () =>
    `{"edits":[${times(9_000, (i) => `{"key":"k${i}","value":{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":[1,2,3]}}`).join(",")}]}`,
  () => `{"a":${"9".repeat(1_000_000)}}`,
  () => `{"a":"${"\\u0041".repeat(500_000)}"}`,
  () => "[".repeat(3_000_000),
  () => " ".repeat(3_000_000),
  () => `{${times(100_000, () => '"k":1').join(",")}}`,
  () => `{"edits":[${times(60_000, (i) => `{"key":"k${i}","value":${i},"surplus":1}`).join(",")}]}`,
]
