import type { Json, PlanStep, Strategy } from "../shapes.ts"
import { pretty } from "../words.ts"
import { readJson } from "./json-text.ts"

export type StrategyName = Strategy["type"]
const UNITS_MS = { seconds: 1_000, minutes: 60_000, hours: 3_600_000 } as const
export type Unit = keyof typeof UNITS_MS | "person"
/** How a unit is offered. */
export const UNITS = [
  ["seconds", "seconds"],
  ["minutes", "minutes"],
  ["hours", "hours"],
  ["person", "until a person goes on"],
] as const

/** How long something is held, while it is written. */
export interface HoldDraft {
  hold: string
  unit: Unit
}

export interface StepDraft extends HoldDraft {
  share: string
}

/** A strategy while it is written: what each kind was given is kept while another is looked at. */
export interface StrategyDraft {
  type: StrategyName
  steps: StepDraft[]
  /** How long the old slot is kept; empty: as long as usual. */
  bake: HoldDraft
  waves: string
}

/** What a scope can be divided by. What is said for those that inherit may divide more than the scope itself. */
export const strategiesOf = (scope: string, isForHeirs = false): StrategyName[] => {
  if (!scope.startsWith("~")) return ["direct", "canary", "blue_green"]
  return isForHeirs ? ["direct", "canary", "blue_green", "rolling"] : ["direct", "rolling"]
}

const holdDraft = (holdMs: number | null): HoldDraft => {
  if (holdMs === null) return { hold: "", unit: "person" }
  const isWhole = (unit: keyof typeof UNITS_MS): boolean => holdMs > 0 && holdMs % UNITS_MS[unit] === 0
  const unit = (["hours", "minutes"] as const).find(isWhole) ?? "seconds"
  return { hold: String(holdMs / UNITS_MS[unit]), unit }
}
const stepDraft = ({ weightBp, holdMs }: Pick<PlanStep, "weightBp" | "holdMs">): StepDraft => ({
  share: String(weightBp / 100),
  ...holdDraft(holdMs),
})

/** Where nothing was said yet. */
export const USUAL: StrategyDraft = {
  type: "direct",
  steps: [
    { share: "10", hold: "2", unit: "minutes" },
    { share: "50", hold: "2", unit: "minutes" },
  ],
  bake: { hold: "", unit: "minutes" },
  waves: pretty([{ weightBp: 1_000, holdMs: 600_000 }, { weightBp: 10_000 }]),
}

export const strategyDraft = (strategy: Strategy): StrategyDraft => {
  const draft = { ...USUAL, type: strategy.type }
  if (strategy.type === "canary") return { ...draft, steps: strategy.steps.map(stepDraft) }
  if (strategy.type === "blue_green" && strategy.bakeMs !== undefined)
    return { ...draft, bake: holdDraft(strategy.bakeMs) }
  if (strategy.type === "rolling") return { ...draft, waves: pretty(strategy.waves as unknown as Json) }
  return draft
}

/** A share to two decimals, as the service counts: in basis points. */
export const shareBp = (text: string): number | null =>
  /^\d{1,3}(\.\d{1,2})?$/.test(text.trim()) ? Math.round(Number(text) * 100) : null
export const holdMsOf = ({ hold, unit }: HoldDraft): number | null | undefined => {
  if (unit === "person") return null
  return /^\d{1,6}(\.\d{1,3})?$/.test(hold.trim()) ? Math.round(Number(hold) * UNITS_MS[unit]) : undefined
}

/** What a draft comes to; `null` while something in it is no number or no JSON. What makes no rollout the service says. */
export const readStrategy = (draft: StrategyDraft): Strategy | null => {
  switch (draft.type) {
    case "direct":
      return { type: "direct" }
    case "canary": {
      const steps = draft.steps.map((step) => ({ weightBp: shareBp(step.share), holdMs: holdMsOf(step) }))
      const isRead = steps.every(({ weightBp, holdMs }) => weightBp !== null && holdMs !== undefined)
      return isRead ? { type: "canary", steps: steps as { weightBp: number; holdMs: number | null }[] } : null
    }
    case "blue_green": {
      if (draft.bake.hold.trim() === "") return { type: "blue_green" }
      const bakeMs = holdMsOf(draft.bake)
      return typeof bakeMs === "number" ? { type: "blue_green", bakeMs } : null
    }
    case "rolling": {
      const read = readJson(draft.waves)
      return "value" in read ? ({ type: "rolling", waves: read.value } as unknown as Strategy) : null
    }
  }
}
