import type { FreezeWindow, Json, Policy, PolicyDocument, PolicyLayer, Strategy } from "../shapes.ts"
import { countOf, durationOf, holdOf, percentOf, roleOf } from "../words.ts"

export const stagesWords = (stages: Policy["stages"]): string =>
  stages.length === 0
    ? "Nobody has to agree"
    : stages.map(({ role, required }) => `${roleOf(role)}: ${required}`).join(", then ")

export const strategyWords = (strategy: Strategy): string => {
  switch (strategy.type) {
    case "direct":
      return "Everyone at once"
    case "canary":
      return `${strategy.steps.map((step) => `${percentOf(step.weightBp)} ${holdOf(step)}`).join(", ")}, then everyone`
    case "blue_green":
      return "In a slot of its own, until a person switches everyone over"
    case "rolling":
      return strategy.waves
        .map((wave) => {
          const whom =
            "tier" in wave
              ? `tier ${wave.tier}`
              : "tenants" in wave
                ? countOf(wave.tenants.length, "tenant")
                : percentOf(wave.weightBp)
          return wave.holdMs === undefined ? whom : `${whom} ${holdOf({ holdMs: wave.holdMs })}`
        })
        .join(", ")
  }
}

export const freezeWords = (freeze: FreezeWindow): string => {
  const days = "days" in freeze ? `${freeze.days.join(", ")} ` : ""
  return `${freeze.name}: ${days}${freeze.from.replace("T", " ")} – ${freeze.until.replace("T", " ")} (${freeze.timeZone})`
}

const listed = (items: readonly string[], none: string): string =>
  items.length === 0 ? none : items.map(roleOf).join(", ")

/** What a policy says besides its gate: what each member is called, and what it comes to in words. */
const MEMBERS: readonly (readonly [keyof Policy & string, string, (policy: Policy) => string])[] = [
  ["stages", "Who has to agree", ({ stages }) => stagesWords(stages)],
  ["strategy", "How it goes out", ({ strategy }) => strategyWords(strategy)],
  ["freezes", "Freezes", ({ freezes }) => freezes.map(freezeWords).join("; ") || "None"],
  ["allowedStrategies", "What a change may ask for", (policy) => listed(policy.allowedStrategies, "Nothing")],
  ["promoteFromAny", "A promotion may skip environments", (policy) => (policy.promoteFromAny ? "Yes" : "No")],
  ["expiresAfterMs", "A change has to start within", (policy) => durationOf(policy.expiresAfterMs)],
  [
    "remindEveryMs",
    "Reminders of approvals that are owed",
    ({ remindEveryMs }) => (remindEveryMs === null ? "Never" : `${durationOf(remindEveryMs)} apart`),
  ],
  ["rollbackWindowMs", "Going back needs nobody for", (policy) => durationOf(policy.rollbackWindowMs)],
  ["reviewWithinMs", "Broken glass is reviewed within", (policy) => durationOf(policy.reviewWithinMs)],
  ["breakGlass", "Who may break glass", ({ breakGlass }) => listed(breakGlass, "Nobody")],
  ["snsTopics", "Alarms believed of SNS topics", ({ snsTopics }) => snsTopics.join(", ") || "None"],
]

/** The layer whose word counts: the farthest that is locked, or else the nearest; `null`: none says anything. */
const sayer = (
  layers: readonly PolicyLayer[],
  says: (document: PolicyDocument) => unknown,
): PolicyLayer | null => {
  const saying = layers.filter(({ document }) => says(document) !== undefined)
  return saying.find(({ locked }) => locked) ?? saying.at(-1) ?? null
}

export interface MemberInForce {
  name: string
  words: string
  /** `null`: by default. */
  from: PolicyLayer | null
}

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)

/** Each member of a policy in force, in words, and the layer that it is from. */
export const membersInForce = (policy: Policy, layers: readonly PolicyLayer[]): MemberInForce[] =>
  MEMBERS.map(([member, name, words]) => {
    const from = sayer(layers, (document) => document[member])
    // A strategy that is none of those allowed is stood in for.
    const counts = member !== "strategy" || same(from?.document.strategy, policy.strategy)
    return { name, words: words(policy), from: counts ? from : null }
  })

/** The same of what the gate asks, by the names of its thresholds. */
export const gateInForce = ({ gate }: Policy, layers: readonly PolicyLayer[]): MemberInForce[] =>
  (Object.keys(gate) as (keyof Policy["gate"])[]).map((name) => ({
    name,
    words: String(gate[name]),
    from: sayer(layers, (document) => document.gate?.[name]),
  }))

/** A document as plain JSON, without its rules: those are written by themselves. */
export const membersOf = (own: PolicyDocument | null): Record<string, Json> => {
  const { rules: _rules, ...members } = (own ?? {}) as Record<string, Json>
  return members
}
