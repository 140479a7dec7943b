import fc from "fast-check"
import type { Chance } from "./chance.ts"
import type { Document, Schema } from "./document.ts"
import { ENVIRONMENTS, type Scene } from "./scene.ts"

/** For whom a value is made. */
export interface Wanted {
  chance: Chance
  document: Document
  scene: Scene
  tenant: string
  environment: string
  /** The change that the request is about. */
  change: { changeId: string; step: number | null; contentHash: string } | null
  receiver: string
}

const WORDS = ["a", "hello", "ünïcödé", "two words", "日本", "x".repeat(60), "0", "null", "🙂", "a/b?c=d&e"]
const SAMPLES = 60

const matching = new Map<string, readonly string[]>()
/** Texts that a pattern takes: the same in every run. */
const samplesOf = (pattern: string): readonly string[] => {
  const known = matching.get(pattern)
  if (known) return known
  let made: readonly string[]
  try {
    made = fc.sample(fc.stringMatching(new RegExp(pattern)), { numRuns: SAMPLES, seed: 7 })
  } catch {
    made = ["a"]
  }
  matching.set(pattern, made)
  return made
}

const json = (chance: Chance, depth = 0): unknown => {
  const simple = [null, true, false, 0, 1, -5, 1.5, 1e21, 2 ** 53 - 1, "", ...WORDS]
  if (depth > 2 || chance.of(0.6)) return chance.one(simple)
  const many = chance.below(4)
  if (chance.of(0.5)) return Array.from({ length: many }, () => json(chance, depth + 1))
  return Object.fromEntries(
    Array.from({ length: many }, (_, index) => [`m${index}`, json(chance, depth + 1)]),
  )
}

const time = (chance: Chance, fromMs: number, untilMs: number): string =>
  new Date(Date.now() + fromMs + chance.below(untilMs - fromMs)).toISOString()

const HOUR_MS = 3_600_000

const strategy = ({ chance, tenant, scene }: Wanted): unknown => {
  if (tenant.startsWith("~"))
    return chance.one([
      { type: "direct" },
      { type: "rolling", waves: [{ tenants: [scene.spare] }, { tier: "Free" }, { weightBp: 10_000 }] },
    ])
  const steps = [
    { weightBp: 1_000, holdMs: chance.one([null, 60_000]) },
    { weightBp: 5_000, holdMs: 1_000 },
  ]
  return chance.one([
    { type: "direct" },
    { type: "canary", steps },
    { type: "canary", steps: steps.slice(0, 1) },
    { type: "blue_green" },
    { type: "blue_green", bakeMs: 60_000 },
  ])
}

type Maker = (wanted: Wanted, schema: Schema) => unknown

const newest = (name: string, otherwise: unknown): Maker => {
  return ({ scene, tenant, chance }) => {
    const known = scene.told.known(tenant, name)
    if (known.length === 0) return otherwise
    return chance.of(0.6) ? known.at(-1) : chance.one(known)
  }
}
const isNumber = ({ type }: Schema): boolean => type === "integer" || type === "number"
const version: Maker = ({ chance }) => (chance.of(0.8) ? 1 : 2)
const environment: Maker = ({ chance, environment: usual }) =>
  chance.of(0.9) ? usual : chance.one([...ENVIRONMENTS, "production", "qa"])

/** What a name means, where a schema cannot say it. `undefined`: as the schema has it. */
const MEANINGS: Readonly<Record<string, Maker>> = {
  tenantId: ({ tenant }) => tenant,
  environment,
  targetEnvironment: ({ environment: usual }) =>
    ENVIRONMENTS[Math.min(3, ENVIRONMENTS.indexOf(usual as never) + 1)],
  key: ({ scene, chance }) => scene.key(chance),
  keys: ({ scene, chance }) => [scene.key(chance)],
  prefix: ({ chance }) => chance.one(["key.", "key.1", "none"]),
  configId: ({ tenant, environment: usual, scene, chance }) =>
    `${tenant}:${usual}:${chance.of(0.7) ? `key.${chance.below(8)}` : scene.key(chance)}`,
  changeId: ({ change }) => change?.changeId,
  preview: ({ change }) => change?.changeId,
  // Only of a change that has ended by itself: seldom right.
  replaces: ({ change, chance }) => (chance.of(0.05) ? change?.changeId : undefined),
  contentHash: ({ change }) => change?.contentHash,
  step: ({ change }) => change?.step ?? 0,
  action: ({ chance }) => chance.one(["command", "eligibility_check", "sync_request"]),
  amount: ({ chance }) => 1 + chance.below(3),
  tokenId: newest("tokenId", `a:tok_${"0".repeat(32)}`),
  channelId: newest("channelId", "none"),
  deliveryId: newest("deliveryId", "none"),
  toRelease: newest("release", "0".repeat(64)),
  revision: newest("revision", "1.0.0.1"),
  cursor: newest("nextCursor", ""),
  seq: (wanted, schema) =>
    schema.minimum === 1 ? newest("size", 1)(wanted, schema) : wanted.chance.below(1e6),
  size: newest("size", 1),
  toVersion: version,
  from: (wanted, schema) => {
    if (isNumber(schema)) return version(wanted, schema)
    if (schema.pattern !== undefined) return time(wanted.chance, -HOUR_MS, -HOUR_MS / 2)
    return ENVIRONMENTS[Math.max(0, ENVIRONMENTS.indexOf(wanted.environment as never) - 1)]
  },
  to: (wanted, schema) => {
    if (isNumber(schema)) return version(wanted, schema)
    return schema.type === "array" ? ["someone@example.org"] : time(wanted.chance, -60_000, 60_000)
  },
  asOf: ({ chance }) => time(chance, -5_000, 0),
  startAt: ({ chance }) => time(chance, -1_000, HOUR_MS),
  tier: ({ chance }) => chance.one(["Free", "Pro", "Enterprise"]),
  tenants: ({ chance, tenant }) => (chance.of(0.5) ? "*" : [tenant]),
  state: ({ chance }, schema) =>
    schema.enum
      ? chance.one(schema.enum)
      : chance.one(["live", "awaiting_approval,scheduled", "rolling_out"]),
  status: ({ chance }, schema) => (schema.enum ? chance.one(schema.enum) : "pending"),
  value: ({ chance }) => json(chance),
  schema: ({ chance }) =>
    chance.one([
      true,
      {},
      { title: "any" },
      { type: ["object", "array", "string", "number", "boolean", "null"] },
    ]),
  strategy: (wanted) => strategy(wanted),
  url: ({ receiver }) => receiver,
  subject: ({ chance }) => `someone.${chance.below(50)}`,
  instance: ({ chance }) => `web-${chance.below(20)}`,
  timeZone: ({ chance }) => chance.one(["Europe/Berlin", "UTC", "Asia/Tokyo"]),
  freezes: ({ chance }) =>
    chance.one([
      [],
      [{ name: "new year", timeZone: "UTC", from: "2031-12-24T00:00", until: "2032-01-02T00:00" }],
    ]),
  stages: ({ chance }) =>
    chance.one([[], [{ role: "manager", required: 1 }], [{ role: "engineer", required: 2 }]]),
  rules: ({ chance, scene }) => [
    {
      id: `rule.${chance.below(5)}`,
      description: "What is seldom written is never there.",
      forbid: { "===": [{ var: scene.key(chance) }, "never"] },
    },
  ],
  breakGlass: () => ["engineer", "manager", "compliance", "tenant_admin"],
  allowedStrategies: () => ["direct", "canary", "blue_green", "rolling"],
  snsTopics: ({ chance }) => chance.one([[], ["arn:aws:sns:eu-central-1:123456789012:alarms"]]),
  latency: ({ chance }) => [[chance.one([10, 100, 1_000]), chance.below(10)]],
  externalIds: ({ chance }) => ({ guild: String(chance.below(1e9)) }),
  name: ({ chance }, schema) =>
    schema.minLength === 1 ? `tenant ${chance.below(1e9)}` : "favicon-32x32.png",
  type: ({ chance }, schema) => (schema.enum ? chance.one(schema.enum) : "webhook"),
}

const bounded = (chance: Chance, low: number, high: number): number => {
  if (high <= low) return low
  return chance.of(0.3) ? chance.one([low, high]) : low + chance.below(Math.min(high - low, 1e6) + 1)
}

const text = (chance: Chance, schema: Schema): string => {
  if (schema.format === "date-time") return time(chance, -HOUR_MS, HOUR_MS)
  if (schema.format === "email") return "someone@example.org"
  if (schema.format === "uri") return "https://example.org/"
  if (schema.pattern !== undefined) return chance.one(samplesOf(schema.pattern))
  const { minLength = 0, maxLength = 1_000 } = schema
  return chance.one(WORDS).padEnd(minLength, "x").slice(0, maxLength)
}

/** Which members of an object are left out together, as the routes want exactly one of them. */
const EITHER: readonly (readonly string[])[] = [
  ["edits", "promote"],
  ["toRelease", "asOf"],
  ["value", "delete", "restores"],
]

const members = (wanted: Wanted, schema: Schema, depth: number): Record<string, unknown> => {
  const { chance } = wanted
  const required = new Set(schema.required ?? [])
  const names = Object.keys(schema.properties ?? {})
  const left = new Set<string>()
  for (const group of EITHER) {
    const there = group.filter((name) => names.includes(name) && !required.has(name))
    if (there.length < 2) continue
    const kept = chance.of(0.75) ? there[0] : chance.one(there)
    for (const name of there) if (name !== kept) left.add(name)
    if (kept) required.add(kept)
  }
  const made: Record<string, unknown> = {}
  for (const name of names) {
    if (left.has(name) || (!required.has(name) && !chance.of(depth === 0 ? 0.3 : 0.2))) continue
    const value = valid(wanted, schema.properties![name]!, name, depth + 1)
    if (value !== undefined) made[name] = value
  }
  return made
}

/** A value that the schema takes, and that means something where its name is known. */
export const valid = (wanted: Wanted, given: Schema, name: string, depth = 0): unknown => {
  const { chance, document } = wanted
  const schema = document.resolve(given)
  const meant = Object.hasOwn(MEANINGS, name) ? MEANINGS[name]!(wanted, schema) : undefined
  if (meant !== undefined && depth < 4) return meant
  if (schema.const !== undefined) return schema.const
  if (schema.enum) return chance.one(schema.enum)
  const branches = schema.oneOf ?? schema.anyOf
  if (branches) return valid(wanted, chance.one(branches), "", depth)
  const types = [schema.type ?? "object"].flat()
  switch (types.length > 3 ? "any" : chance.one(types)) {
    case "any":
      return json(chance)
    case "object":
      if (schema.properties) return members(wanted, schema, depth)
      if (typeof schema.additionalProperties === "object" && chance.of(0.7))
        return { extra: valid(wanted, schema.additionalProperties, "", depth + 1) }
      return {}
    case "array":
      return Array.from({ length: Math.max(schema.minItems ?? 0, chance.below(3)) }, () =>
        valid(wanted, schema.items ?? {}, "", depth + 1),
      )
    case "string":
      return text(chance, schema)
    case "integer":
      return bounded(chance, schema.minimum ?? 0, Math.min(schema.maximum ?? 1e6, 2 ** 53 - 1))
    case "number":
      return bounded(chance, schema.minimum ?? 0, schema.maximum ?? 1e6)
    case "boolean":
      return chance.of(0.5)
    default:
      return null
  }
}
