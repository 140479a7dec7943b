import type { ChangeState, Instant, Plan } from "../change/change.ts"
import { msBetween } from "../change/time.ts"
import type { Arm } from "../release/arms.ts"
import type { Evidence } from "./evidence.ts"
import { slownessOf } from "./latency.ts"
import { logLikelihoodRatio } from "./ratio.ts"
import { silenceOf } from "./silence.ts"
import { strataOf } from "./strata.ts"
import { GATE, type GateThresholds } from "./thresholds.ts"
import type { Verdict, VerdictKind, VerdictNumbers } from "./verdict.ts"

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
    nobodyByChance(given) ??
    silent(given) ??
    fewFail(given) ??
    suspicious(given) ??
    tooFew(given) ??
    slower(given) ??
    healthy(given)
  return { ...found, numbers: numbersOf(given) }
}

const RATIO_SHOWN_MAX = 1e12

/** Three digits are enough for people, and the same wherever they are written. */
const shown = (log: number): number =>
  Number(Math.min(RATIO_SHOWN_MAX, Math.max(1e-12, Math.exp(Math.min(log, 50)))).toPrecision(3))

const numbersOf = ({ evidence: { arms }, ratio, rollBackAt }: Case): VerdictNumbers => ({
  candidateRequests: arms.candidate.requests,
  candidateErrors: arms.candidate.errors,
  stableRequests: arms.stable.requests,
  stableErrors: arms.stable.errors,
  likelihoodRatio: shown(ratio),
  rollBackAt: shown(rollBackAt),
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
  ratio < rollBackAt
    ? null
    : found("unhealthy", `The candidate fails more than chance explains: ${both(evidence)}.`)

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
  const silence = silenceOf(evidence, step.weightBp, now, thresholds)
  if (silence === null) return null
  const words = `Stable reports, the candidate has not for ${seconds(silence.forMs)} (about ${silence.missing} requests).`
  return found(silence.forMs >= thresholds.silentRollBackAfterMs ? "unhealthy" : "hold", words)
}

const fewFail = ({ evidence, step, now, thresholds, rollBackAt }: Case): Finding | null => {
  const instances = instancesOn(evidence, "candidate")
  if (instances > thresholds.fewInstances || logLikelihoodRatio(strataOf(evidence, false)) < rollBackAt)
    return null
  const isOverdue = step.holdMs !== null && overdueMs(step, now) >= thresholds.fewRollBackAfterMs
  return found(
    isOverdue ? "unhealthy" : "hold",
    `Too few instances to tell a sick one from a bad candidate (${instances}): ${both(evidence)}.`,
  )
}

const suspicious = ({ evidence, ratio, suspectAt }: Case): Finding | null =>
  ratio < suspectAt
    ? null
    : found("hold", `The candidate looks worse, not yet for certain: ${both(evidence)}.`)

const tooFew = ({ evidence: { arms }, step, now, thresholds }: Case): Finding | null => {
  const { candidate, stable } = arms
  const wanted = thresholds.requestsMin
  if (candidate.requests >= wanted && stable.requests >= wanted) return null
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
