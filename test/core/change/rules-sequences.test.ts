import fc from "fast-check"
import { expect, test } from "vitest"
import type { ReleaseId } from "../../../core/ids.ts"
import type { Json } from "../../../core/json.ts"
import type { Rule } from "../../../core/rule/rule.ts"
import { actor, canary, person } from "./rollouts.ts"
import { editing, key, World } from "./world.ts"

/** Rules, and the same again as somebody would write them by hand. */
type Values = Readonly<Record<string, Json | undefined>>
const RULES: readonly { rule: Rule; keys: readonly string[]; holds: (values: Values) => boolean }[] = [
  {
    rule: { id: "order", description: "In order.", require: { "<=": [{ var: "a" }, { var: "b" }] } },
    keys: ["a", "b"],
    holds: ({ a, b }) => Number(a ?? 0) <= Number(b ?? 0),
  },
  {
    rule: {
      id: "needs",
      description: "With b comes c.",
      when: { ">": [{ var: "b" }, 1] },
      forbid: { missing: ["c"] },
    },
    keys: ["b", "c"],
    holds: ({ b, c }) => !(Number(b ?? 0) > 1) || c !== undefined,
  },
  {
    rule: {
      id: "apart",
      description: "Not both.",
      forbid: { and: [{ "==": [{ var: "c" }, 2] }, { "==": [{ var: "d" }, 2] }] },
    },
    keys: ["c", "d"],
    holds: ({ c, d }) => !(c === 2 && d === 2),
  },
]

const edit = fc.tuple(fc.constantFrom("a", "b", "c", "d"), fc.option(fc.integer({ min: 0, max: 3 })))
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ edits: fc.array(edit, { minLength: 1, maxLength: 3 }), slowly: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ rules: fc.subarray([0, 1, 2]) }) },
  fc.constantFrom("advance" as const, "abort" as const, "rollback" as const),
)
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never

const valuesOf = (world: World, release: ReleaseId): Values =>
  Object.fromEntries([...world.entries(release)].map(([name, { value }]) => [name, value]))

const commandOf = (world: World, step: Step) => {
  const { candidate, stableChangeId } = world.pointer
  if (typeof step === "string") {
    const changeId = step === "rollback" ? stableChangeId : (candidate?.changeId ?? null)
    if (changeId === null) return null
    return step === "rollback"
      ? ({ type: step, changeId, actor } as const)
      : ({ type: step, changeId, by: person } as const)
  }
  if ("rules" in step) {
    const value = { rules: step.rules.map((index) => RULES[index]!.rule) } as unknown as Json
    return world.submitCommand([{ key: key("~policy"), value, part: "rules" }])
  }
  const wanted = new Map(step.edits)
  const edits = [...wanted].map(([name, value]) =>
    value === null ? { key: key(name), delete: true as const } : editing({ [name]: value })[0]!,
  )
  return world.submitCommand(edits, step.slowly ? canary : {})
}

test("no sequence of changes brings a rule of one's own to break, on either arm, but a way back", () => {
  let [refused, taken] = [0, 0]
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 25 }), (steps) => {
      const world = new World()
      for (const step of steps) {
        const command = commandOf(world, step)
        if (command === null) continue
        const before = brokenOn(world)
        const decision = world.run(command)
        if (decision.kind === "refused" && decision.code === "RULE_BROKEN") refused++
        if (decision.kind !== "commit" || step === "rollback") continue
        taken++
        // What a way back left broken stays so until somebody edits what it is about.
        for (const broken of brokenOn(world)) expect(before).toContain(broken)
      }
    }),
    { seed: 20261122, numRuns: 300 },
  )
  expect(Math.min(refused, taken)).toBeGreaterThan(200)
})

/** Of the rules in force, those that do not hold, and on which arm: by hand. */
const brokenOn = (world: World): string[] => {
  const ids = new Set(world.policies.flatMap(({ document }) => (document.rules ?? []).map(({ id }) => id)))
  const { stable, candidate } = world.pointer
  const arms = { stable: valuesOf(world, stable), candidate: valuesOf(world, candidate?.release ?? stable) }
  return Object.entries(arms).flatMap(([arm, values]) =>
    RULES.filter(({ rule, holds }) => ids.has(rule.id) && !holds(values)).map(
      ({ rule }) => `${arm} ${rule.id}`,
    ),
  )
}
