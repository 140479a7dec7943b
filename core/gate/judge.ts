import type { ChangeState, Instant, Plan } from "../change/change.ts"
import { msBetween } from "../change/time.ts"
import type { Arm } from "../release/arms.ts"
import type { Evidence } from "./evidence.ts"
import { slownessOf } from "./latency.ts"
import { logLikelihoodRatio } from "./ratio.ts"
import { silenceOf } from "./silence.ts"
import { strataOf } from "./strata.ts"
import { GATE, type GateThresholds } from "./thresholds.ts"
import { shownRatio, type Verdict, type VerdictKind, type VerdictNumbers } from "./verdict.ts"

/** The step that the evidence is about. */
export interface JudgedStep {
  /** From 0. */
  index: number
  weightBp: number
  /** How many steps the plan has: the chance of a false alarm is shared out among them. */
  steps: number
  enteredAt: Instant
  /** `null`: until a person goes on. */
  holdMs: number | null
}

/** The step that a change is at; `null` when it does not roll out. */
export const judgedStepOf = (plan: Plan, status: ChangeState): JudgedStep | null => {
  if (status.state !== "rolling_out") return null
  const { weightBp, holdMs } = plan[status.step]!
  const { step: index, enteredAt, heldMs } = status
  // What was held before a pause counts, so that less is left of the hold.
  const leftMs = holdMs === null ? null : Math.max(0, holdMs - heldMs)
  return { index, steps: plan.length, weightBp, enteredAt, holdMs: leftMs }
}

/** How much more than before the switch may fail, in basis points, until a person is waited for, and until nobody is. */
const AFTER_SWITCH = { holdBp: 500, rollBackBp: 4_000 }

type Finding = Pick<Verdict, "kind" | "words">

interface Case {
  evidence: Evidence
  step: JudgedStep
  now: Instant
  thresholds: GateThresholds
  /** Logarithms. */
  ratio: number
  rollBackAt: number
  suspectAt: number
}

/**
 * What the reports of one step say about the candidate: pure, the same for whoever asks. The first rule that applies
 * gives the verdict, gravest first; `docs/gate.md` explains them.
 */
export const judge = (
  evidence: Evidence,
  step: JudgedStep,
  now: Instant,
  thresholds: GateThresholds = GATE,
): Verdict => {
  const ratio = logLikelihoodRatio(strataOf(evidence, true))
  const share = Math.log(Math.max(1, step.steps))
  const given: Case = {
    evidence,
    step,
    now,
    thresholds,
    ratio,
    rollBackAt: Math.log(thresholds.ratioMin) + share,
    suspectAt: Math.log(thresholds.suspectRatio),
  }
  const found =
    nobody(given) ??
    unusable(given) ??
    failingAll(given) ??
    worse(given) ??
    worseThanBefore(given) ??
    nobodyByChance(given) ??
    silent(given) ??
    fewFail(given) ??
    suspicious(given) ??
    tooFew(given) ??
    slower(given) ??
    healthy(given)
  return { ...found, numbers: numbersOf(given) }
}

const numbersOf = ({ evidence: { arms }, ratio, rollBackAt }: Case): VerdictNumbers => ({
  candidateRequests: arms.candidate.requests,
  candidateErrors: arms.candidate.errors,
  stableRequests: arms.stable.requests,
  stableErrors: arms.stable.errors,
  likelihoodRatio: shownRatio(ratio),
  rollBackAt: shownRatio(rollBackAt),
})

const found = (kind: VerdictKind, words: string): Finding => ({ kind, words })

const failed = ({ requests, errors }: { requests: number; errors: number }): string =>
  `${errors} of ${requests} requests failed`

const both = ({ arms: { stable, candidate } }: Evidence): string =>
  `on the candidate ${failed(candidate)}, on stable ${failed(stable)}`

const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`

const instancesOn = ({ groups }: Evidence, arm: Arm): number =>
  groups.filter((group) => group.arm === arm).reduce((sum, { instances }) => sum + instances, 0)

/** How long its hold has been over. */
const overdueMs = ({ enteredAt, holdMs }: JudgedStep, now: Instant): number =>
  msBetween(enteredAt, now) - (holdMs ?? 0)

/** Stable reported before the switch, and nobody does any more: what befell everyone since cannot be told apart. */
const isPast = ({ stableSince }: Evidence): boolean => stableSince !== undefined

const nobody = ({ evidence: { arms }, step }: Case): Finding | null => {
  if (step.weightBp === 0) return found("unwatched", "Nobody reads the candidate at this step.")
  const { stable, candidate } = arms
  const reports = stable.requests + candidate.requests + stable.guards + candidate.guards
  return reports === 0 ? found("unwatched", "Nobody reports what they see.") : null
}

const unusable = ({ evidence: { arms } }: Case): Finding | null => {
  const { candidate, stable } = arms
  if (candidate.guards === 0) return null
  return stable.guards === 0
    ? found("unhealthy", "A client can read or validate stable, and not the candidate.")
    : found("hold", "Clients can read or validate neither the candidate nor stable.")
}

const failingAll = ({ evidence: { arms, groups }, thresholds }: Case): Finding | null => {
  const failing = groups
    .filter((group) => group.arm === "candidate" && !group.succeeds)
    .filter(({ errorsEach }) => errorsEach >= thresholds.failingErrorsMin)
    .reduce((sum, { instances }) => sum + instances, 0)
  // What fails on both arms is not the candidate's doing.
  const isOutage = 2 * arms.stable.errors >= arms.stable.requests && arms.stable.requests > 0
  if (failing < thresholds.failingInstancesMin || isOutage) return null
  return found("unhealthy", `On ${failing} instances everything fails on the candidate.`)
}

const worse = ({ evidence, ratio, rollBackAt }: Case): Finding | null =>
  ratio < rollBackAt || isPast(evidence)
    ? null
    : found("unhealthy", `The candidate fails more than chance explains: ${both(evidence)}.`)

/**
 * After a switch there is only before and after, and an outage looks like a bad candidate. When most of all fails since the
 * switch, back it goes; else a person may tell, and where nobody does it goes back too.
 */
const worseThanBefore = ({ evidence, step, now, thresholds, ratio, suspectAt }: Case): Finding | null => {
  if (!isPast(evidence)) return null
  const excessBp = excessBpOf(evidence)
  if (ratio < suspectAt || excessBp < AFTER_SWITCH.holdBp) return null
  const isOverdue = step.holdMs !== null && overdueMs(step, now) >= thresholds.fewRollBackAfterMs
  const isClear = excessBp >= AFTER_SWITCH.rollBackBp && enoughOf(evidence.arms.candidate, thresholds)
  return found(
    isClear || isOverdue ? "unhealthy" : "hold",
    `More fails than before the switch: ${both(evidence)}.`,
  )
}

const enoughOf = ({ requests }: { requests: number }, { requestsMin }: GateThresholds): boolean =>
  requests >= requestsMin

const excessBpOf = ({ arms: { stable, candidate } }: Evidence): number =>
  10_000 * (candidate.errors / Math.max(1, candidate.requests) - stable.errors / Math.max(1, stable.requests))

/**
 * A few instances, each wholly on one arm, may all be on stable. The next step will show: it is only the last one that
 * nobody may pass unheard.
 */
const nobodyByChance = ({ evidence, step, thresholds }: Case): Finding | null => {
  const isLast = step.index + 1 >= step.steps
  const instances = instancesOn(evidence, "stable")
  const chance = (1 - step.weightBp / 10_000) ** instances
  if (isLast || instancesOn(evidence, "candidate") > 0 || chance < thresholds.nobodyByChance) return null
  return found("unwatched", `None of the ${instances} instances that report reads the candidate yet.`)
}

const silent = ({ evidence, step, now, thresholds }: Case): Finding | null => {
  const silence = silenceOf(evidence, step, now, thresholds)
  if (silence === null) return null
  const beside = isPast(evidence) ? "Stable reported until the switch" : "Stable reports"
  const words = `${beside}, the candidate has not for ${seconds(silence.forMs)} (about ${silence.missing} requests).`
  return found(silence.forMs >= thresholds.silentRollBackAfterMs ? "unhealthy" : "hold", words)
}

const fewFail = ({ evidence, step, now, thresholds, rollBackAt }: Case): Finding | null => {
  const instances = instancesOn(evidence, "candidate")
  if (
    isPast(evidence) ||
    instances > thresholds.fewInstances ||
    logLikelihoodRatio(strataOf(evidence, false)) < rollBackAt
  )
    return null
  const isOverdue = step.holdMs !== null && overdueMs(step, now) >= thresholds.fewRollBackAfterMs
  return found(
    isOverdue ? "unhealthy" : "hold",
    `Too few instances to tell a sick one from a bad candidate (${instances}): ${both(evidence)}.`,
  )
}

const suspicious = ({ evidence, ratio, suspectAt }: Case): Finding | null =>
  ratio < suspectAt || isPast(evidence)
    ? null
    : found("hold", `The candidate looks worse, not yet for certain: ${both(evidence)}.`)

const tooFew = ({ evidence, step, now, thresholds }: Case): Finding | null => {
  const { candidate, stable } = evidence.arms
  const wanted = thresholds.requestsMin
  if (enoughOf(candidate, thresholds) && enoughOf(stable, thresholds)) return null
  if (isPast(evidence) && enoughOf(candidate, thresholds))
    return found("unwatched", "Too little was reported before the switch to compare with.")
  const words = `Of ${wanted} requests wanted on each arm, the candidate has ${candidate.requests} and stable ${stable.requests}.`
  return found(overdueMs(step, now) >= thresholds.exposureWaitMaxMs ? "unwatched" : "waiting", words)
}

const percent = (bp: number): string => `${bp / 100} %`

const slower = ({ evidence, thresholds }: Case): Finding | null => {
  const slowness = slownessOf(evidence, thresholds)
  return slowness === null
    ? null
    : found(
        "hold",
        `The candidate is slower: ${percent(slowness.candidateBp)} of its requests take longer than ${slowness.slowMs} ms, ${percent(slowness.stableBp)} of stable's.`,
      )
}

const healthy = ({ evidence }: Case): Finding =>
  found("healthy", `The candidate is no worse than stable: ${both(evidence)}.`)
