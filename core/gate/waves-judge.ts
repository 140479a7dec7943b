import type { Instant } from "../change/change.ts"
import { msBetween } from "../change/time.ts"
import { type Expectation, expectationFor, rateOf, stratumOf, suffersOutage } from "./expectation.ts"
import type { JudgedStep } from "./judge.ts"
import { logLikelihoodRatio } from "./ratio.ts"
import { GATE, type GateThresholds } from "./thresholds.ts"
import { shownRatio, type Verdict, type VerdictKind } from "./verdict.ts"
import type { Tally, TenantEvidence, WaveEvidence } from "./waves.ts"

/** So many instances that cannot use the configuration are no longer one sick instance. */
const UNUSABLE_INSTANCES = 2

/** Logarithms: ten to one; and where nobody tells of trouble that is long over, a thousand to one. */
const STILL_FAILING = Math.log(10)
const FAILING_ALONE = Math.log(1_000)

/** So long everything may fail a tenant in a step: errors come in clusters. */
const FORGIVEN_MS = 1_000
/** Where nobody tells of trouble that is over, so much more has to fail, as a share. */
const EXCESS_MIN_ALONE = 0.07

type Finding = Pick<Verdict, "kind" | "words">

interface Look {
  evidence: WaveEvidence
  step: JudgedStep
  now: Instant
  thresholds: GateThresholds
}

/** One tenant's case: what it may be expected to fail, and how much likelier its errors are if the candidate is to blame. */
interface Case extends Look {
  tenant: TenantEvidence
  expected: Expectation | null
  /** Logarithms; the candidate is to blame from `tripAt` on. */
  ratio: number
  tripAt: number
  suspectAt: number
}

/**
 * Does the candidate fail `evidence.tenant`? `unhealthy` trips it: a command `trip` takes it back to stable. Pure; the
 * first rule that applies gives the verdict, gravest first. `docs/gate.md` explains them.
 */
export const judgeTenant = (
  evidence: WaveEvidence,
  step: JudgedStep,
  now: Instant,
  thresholds: GateThresholds = GATE,
): Verdict => {
  const { tenant } = evidence
  if (tenant === null)
    return verdictOf(found("unwatched", "No wave has reached this tenant."), NOTHING, NOTHING)
  const given = caseOf({ evidence, step, now, thresholds }, tenant)
  return verdictOf(findingOn(given), tenant.after, tenant.before, given)
}

/** May the waves go on? Whether a tenant is taken out of them is settled by {@link judgeTenant}, with its own reports. */
export const judgeWaves = (
  evidence: WaveEvidence,
  step: JudgedStep,
  now: Instant,
  thresholds: GateThresholds = GATE,
): Verdict => {
  const look = { evidence, step, now, thresholds }
  const { reached, control } = evidence
  const cases = reached.sample.map((tenant) => caseOf(look, tenant))
  const finding =
    nobody(look) ??
    nobodyReached(look) ??
    silent(look) ??
    someoneFails(look, cases) ??
    tooFew(look) ??
    found("healthy", reportedBy(reached.tenants))
  const worst = cases.reduce<Case | undefined>(
    (most, one) => (most !== undefined && most.ratio >= one.ratio ? most : one),
    undefined,
  )
  const onCandidate = total(reached.sample.flatMap(({ after, recent }) => [after, recent]))
  return verdictOf(finding, onCandidate, total(control.sample.map(({ after }) => after)), worst)
}

const NOTHING: Tally = { requests: 0, errors: 0 }

const found = (kind: VerdictKind, words: string): Finding => ({ kind, words })

const total = (tallies: readonly Tally[]): Tally =>
  tallies.reduce(
    (sum, { requests, errors }) => ({ requests: sum.requests + requests, errors: sum.errors + errors }),
    NOTHING,
  )

const verdictOf = (
  finding: Finding,
  candidate: Tally,
  stable: Tally,
  { ratio, tripAt }: Pick<Case, "ratio" | "tripAt"> = { ratio: 0, tripAt: 0 },
): Verdict => ({
  ...finding,
  numbers: {
    candidateRequests: candidate.requests,
    candidateErrors: candidate.errors,
    stableRequests: stable.requests,
    stableErrors: stable.errors,
    likelihoodRatio: shownRatio(ratio),
    rollBackAt: shownRatio(tripAt),
  },
})

const caseOf = (look: Look, tenant: TenantEvidence): Case => {
  const { evidence, step, thresholds } = look
  const expected = expectationFor(evidence, tenant)
  // Every step and every tenant that is looked at is one more chance of a false alarm.
  const looks = Math.log(Math.max(1, step.steps)) + Math.log(Math.max(1, evidence.reached.tenants))
  return {
    ...look,
    tenant,
    expected,
    ratio: expected === null ? 0 : logLikelihoodRatio([stratumOf(tenant.after, expected)]),
    tripAt: Math.log(thresholds.ratioMin) + looks,
    suspectAt: Math.log(thresholds.suspectRatio) + looks,
  }
}

const findingOn = (given: Case): Finding =>
  unusable(given) ??
  failingAll(given) ??
  worse(given) ??
  suspicious(given) ??
  unknown(given) ??
  notSettled(given) ??
  found("healthy", `The candidate does not fail this tenant: ${compared(given)}.`)

const notSettled = ({ tenant: { after } }: Case): Finding | null =>
  after.requests === 0
    ? found("healthy", "Nothing yet that this tenant reported of the candidate is old enough to be judged.")
    : null

const reportedBy = (tenants: number): string =>
  tenants === 1
    ? "One tenant reports the candidate, which does not fail it."
    : `${tenants} tenants report the candidate, and it fails none of them.`

const failed = ({ requests, errors }: Tally): string => `${errors} of ${requests} requests failed`

const percent = (share: number): string => `${Number((100 * share).toPrecision(2))} %`

const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`

const compared = ({ tenant: { after }, expected }: Case): string =>
  `${failed(after)}${expected === null ? "" : `, where ${percent(expected.rate)} may, by its past and by what befell others`}`

const overdueMs = ({ step: { enteredAt, holdMs }, now }: Look): number =>
  holdMs === null ? 0 : msBetween(enteredAt, now) - holdMs

/** Nobody has decided for so long that it is decided here. */
const isOverdue = (look: Look): boolean =>
  look.step.holdMs !== null && overdueMs(look) >= look.thresholds.fewRollBackAfterMs

const unusable = (given: Case): Finding | null => {
  const { unusable: instances } = given.tenant
  if (instances === 0) return null
  return instances >= UNUSABLE_INSTANCES || isOverdue(given)
    ? found("unhealthy", `${instances} instances cannot read or validate the candidate.`)
    : found("hold", "One instance cannot read or validate the candidate.")
}

const failingAll = ({ evidence, tenant, thresholds }: Case): Finding | null => {
  const { failing, after, before } = tenant
  // Settled, so that others had time to report that everything fails them too.
  if (failing < thresholds.failingInstancesMin || after.requests === 0) return null
  if (2 * before.errors > before.requests || suffersOutage(evidence, tenant)) return null
  return found("unhealthy", `On ${failing} instances everything fails on the candidate.`)
}

/**
 * What of this step is settled fails enough to matter, more than a client's second of failing everything would make of it;
 * and what came since then says by itself that it fails still.
 */
const isWorse = (
  { tenant: { after, recent }, step, now }: Case,
  expected: Expectation | null,
): expected is Expectation => {
  if (expected === null) return false
  const forgiven = FORGIVEN_MS / Math.max(FORGIVEN_MS, msBetween(step.enteredAt, now))
  const excessMin = expected.isAlone ? EXCESS_MIN_ALONE : expected.excessMin + forgiven
  const stillFails = logLikelihoodRatio([stratumOf(recent, expected)])
  return (
    rateOf(after) >= expected.rate + excessMin &&
    stillFails >= (expected.isAlone ? FAILING_ALONE : STILL_FAILING)
  )
}

const worse = (given: Case): Finding | null => {
  const { expected, ratio, tripAt } = given
  if (ratio < tripAt || !isWorse(given, expected)) return null
  if (expected.isAlone && overdueMs(given) < given.thresholds.silentRollBackAfterMs)
    return found(
      "hold",
      `This tenant fails more than it used to, and nobody is left to tell whether all do: ${compared(given)}.`,
    )
  return found("unhealthy", `The candidate fails this tenant more than chance explains: ${compared(given)}.`)
}

const suspicious = (given: Case): Finding | null =>
  given.ratio >= given.suspectAt && isWorse(given, given.expected)
    ? found("hold", `The candidate may fail this tenant, not yet for certain: ${compared(given)}.`)
    : null

const unknown = ({ expected }: Case): Finding | null =>
  expected === null
    ? found("unwatched", "Neither this tenant's past nor others tell what is usual for it.")
    : null

// the waves as a whole

const nobody = ({ evidence: { since } }: Look): Finding | null =>
  since === null ? found("unwatched", "Nobody reports what they see.") : null

/** Whom the waves have reached so far may report nothing, ever. Everyone is reached by the last. */
const nobodyReached = ({ evidence: { reached, control, unheard } }: Look): Finding | null =>
  reached.tenants === 0 && control.tenants > 0 && unheard.tenants === 0
    ? found("unwatched", `None of the ${control.tenants} tenants that report is reached yet.`)
    : null

const silent = (look: Look): Finding | null => {
  const { evidence, step, now, thresholds } = look
  const { reached, control } = evidence
  if (control.lastAt === null || msBetween(control.lastAt, now) >= thresholds.silentAfterMs) return null
  const forMs = msBetween(reached.lastAt ?? step.enteredAt, now)
  if (forMs < thresholds.silentAfterMs) return null
  const missing = Math.floor(missingOf(look, forMs))
  if (missing < thresholds.silentRequestsMin) return null
  return found(
    forMs >= thresholds.silentRollBackAfterMs ? "unhealthy" : "hold",
    `Other tenants report, those reached have not for ${seconds(forMs)} (about ${missing} requests).`,
  )
}

/** Requests that the reached should have reported meanwhile: at their own rate; unheard of, as the others go by their past. */
const missingOf = ({ evidence: { since, reached, control, unheard } }: Look, forMs: number): number => {
  if (reached.lastAt !== null && since !== null)
    return (reached.requests * forMs) / Math.max(1_000, msBetween(since, reached.lastAt))
  const past = total(control.sample.map(({ before }) => before)).requests
  const present = total(control.sample.map(({ after }) => after)).requests
  return past === 0 ? 0 : (unheard.before.requests * present) / past
}

const someoneFails = ({ evidence: { reached } }: Look, cases: readonly Case[]): Finding | null => {
  const ill = cases.flatMap((given) => {
    const { kind, words } = findingOn(given)
    return kind === "hold" || kind === "unhealthy" ? [{ tenantId: given.tenant.tenantId, words }] : []
  })
  if (ill.length === 0) return null
  const [{ tenantId, words }] = ill as [(typeof ill)[number]]
  return found(
    "hold",
    `${ill.length} of the ${reached.tenants} tenants reached may be failed, first ${tenantId}: ${words}`,
  )
}

const tooFew = (look: Look): Finding | null => {
  const { evidence, thresholds } = look
  const { requests, tenants } = evidence.reached
  if (requests >= thresholds.requestsMin) return null
  return found(
    overdueMs(look) >= thresholds.exposureWaitMaxMs ? "unwatched" : "waiting",
    `Of ${thresholds.requestsMin} requests wanted of tenants reached, ${tenants} have reported ${requests}.`,
  )
}
