import type { FreezeWindow, Json, Policy, PolicyLayer, PolicyShown } from "../shapes.ts"
import { pretty } from "../words.ts"
import { readJson } from "./json-text.ts"
import { membersOf } from "./policy-words.ts"
import { readStrategy, type StrategyDraft, strategyDraft } from "./strategy-draft.ts"

export interface StageDraft {
  role: string
  required: string
}

/** A scope's own policy while it is written; `null`: that is inherited. */
export interface PolicyDraft {
  stages: StageDraft[] | null
  strategy: StrategyDraft | null
  freezes: FreezeWindow[] | null
  /** Everything else, as JSON. */
  rest: string
  locked: boolean
}

/** Members that have fields of their own. */
const WITH_FIELDS = ["stages", "strategy", "freezes"]

export const stageDrafts = (stages: Policy["stages"]): StageDraft[] =>
  stages.map(({ role, required }) => ({ role, required: String(required) }))

export const ownLayer = ({ layers }: PolicyShown, scope: string): PolicyLayer | undefined =>
  layers.find((layer) => layer.scope === scope)

export const policyDraft = (shown: PolicyShown, scope: string): PolicyDraft => {
  const { stages, strategy, freezes } = shown.own ?? {}
  const rest = Object.entries(membersOf(shown.own)).filter(([name]) => !WITH_FIELDS.includes(name))
  return {
    stages: stages ? stageDrafts(stages) : null,
    strategy: strategy ? strategyDraft(strategy) : null,
    freezes: freezes ? [...freezes] : null,
    rest: pretty(Object.fromEntries(rest)),
    locked: ownLayer(shown, scope)?.locked ?? false,
  }
}

type Members = Record<string, Json>
export type ReadDraft = { members: Members } | { wrong: string; of: "stages" | "strategy" | "rest" }

/** What a draft comes to as the API takes it; whether that is a policy, the service says. */
export const readPolicy = ({ stages, strategy, freezes, rest }: PolicyDraft): ReadDraft => {
  const read = readJson(rest)
  if ("wrong" in read) return { wrong: read.wrong, of: "rest" }
  const { value } = read
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { wrong: "It is no object.", of: "rest" }
  const elsewhere = Object.keys(value).find((name) => [...WITH_FIELDS, "rules", "locked"].includes(name))
  if (elsewhere) return { wrong: `“${elsewhere}” has a place of its own on this page.`, of: "rest" }
  if (stages?.some(({ required }) => !/^\d{1,2}$/.test(required.trim())))
    return { wrong: "How many people is a number.", of: "stages" }
  const written = strategy && readStrategy(strategy)
  if (strategy && !written) return { wrong: "It is not written to its end.", of: "strategy" }
  return {
    members: {
      ...(stages && { stages: stages.map(({ role, required }) => ({ role, required: Number(required) })) }),
      ...(written && { strategy: written as unknown as Json }),
      ...(freezes && { freezes: freezes as unknown as Json }),
      ...value,
    },
  }
}
