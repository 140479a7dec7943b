import type { Stratum } from "./ratio.ts"
import type { ControlEvidence, Tally, TenantEvidence, WaveEvidence } from "./waves.ts"

/** A share of failures is not looked at below so many requests. */
const TELLING_REQUESTS = 20
/** What befalls everyone hits nobody more than so many times as hard as the worst of the control, but for the sick. */
const UNEQUALLY = 3
/** What is usual drifts by so many times. */
const DRIFT = 1.5
/** So much more, in shares, has to fail to matter. And where a tenant's own past is not known. */
const EXCESS_MIN = 0.03
const EXCESS_MIN_WITHOUT_PAST = 0.1

/** What a tenant may be expected to fail, whatever it reads. */
export interface Expectation {
  /** Share of its requests. */
  rate: number
  /** How many errors that is known from: few errors tell little. */
  errors: number
  /** By how much more than `rate` has to fail before the candidate is blamed. */
  excessMin: number
  /** Nobody tells what befell the others meanwhile. */
  isAlone: boolean
}

const isTelling = ({ requests }: Tally): boolean => requests >= TELLING_REQUESTS

export const rateOf = ({ requests, errors }: Tally): number => (requests === 0 ? 0 : errors / requests)

const sum = (one: Tally, other: Tally): Tally => ({
  requests: one.requests + other.requests,
  errors: one.errors + other.errors,
})

/**
 * What failed a tenant before this step, where that was more than usual: trouble that began earlier has hit both those that
 * this wave reached and those before them, and whoever has failed since an earlier wave tells of nothing new.
 */
const pastOf = ({ before, earlier }: TenantEvidence): Tally =>
  isTelling(earlier) && rateOf(earlier) > DRIFT * rateOf(before) + EXCESS_MIN ? earlier : before

/** Some that tell what befell everyone in this step; one in so many of them is not believed, for it may be sick by itself. */
interface Witnesses {
  tenants: readonly ControlEvidence[]
  sickOneIn: number
  /** Fewer are all believed. */
  fewerThan: number
}

/**
 * Who tells a tenant what befell everyone: those not reached, above all those of its own tier. And those that an earlier
 * wave reached, which the candidate had time to fail: all that is left when the last wave has reached everyone. Some of
 * these it may fail only now, so more of them are not believed, and they do not vouch for one another.
 */
const witnessesOf = ({ control, reached }: WaveEvidence, { tier, veteran }: TenantEvidence): Witnesses[] => {
  const veterans = veteran
    ? []
    : reached.sample
        .filter((other) => other.veteran && isTelling(other.earlier))
        .map((other) => ({ ...other, before: pastOf(other), after: sum(other.after, other.recent) }))
  const like = (tenants: readonly ControlEvidence[]) => tenants.filter((one) => one.tier === tier)
  return [
    { tenants: like(control.sample), sickOneIn: 50, fewerThan: 10 },
    { tenants: control.sample, sickOneIn: 10, fewerThan: 10 },
    { tenants: like(veterans), sickOneIn: 5, fewerThan: 3 },
    { tenants: veterans, sickOneIn: 5, fewerThan: 3 },
  ].map((group) => ({ ...group, tenants: group.tenants.filter(({ after }) => isTelling(after)) }))
}

/** Highest first, without the sick: at least one, unless they are few. */
const sound = (
  { tenants, sickOneIn, fewerThan }: Witnesses,
  shareOf: (one: ControlEvidence) => number,
): number[] => {
  const shares = tenants.map(shareOf)
  const sick = shares.length < fewerThan ? 0 : Math.max(1, Math.floor(shares.length / sickOneIn))
  return [...shares].sort((one, other) => other - one).slice(sick)
}

/** The worst that any of the groups tells of. */
const worstOf = (groups: readonly Witnesses[], shareOf: (one: ControlEvidence) => number): number =>
  Math.max(0, ...groups.flatMap((group) => sound(group, shareOf).slice(0, 1)))

const mean = (shares: readonly number[]): number =>
  shares.reduce((all, share) => all + share, 0) / Math.max(1, shares.length)
/** What surely befell one of them: two standard deviations less than what was seen, so that few requests claim nothing. */
const surely = ({ requests, errors }: Tally): number => (errors - 2 * Math.sqrt(errors)) / requests

/**
 * A tenant's usual share of failures and, on top, what befell the others meanwhile: differences in differences. `null`
 * where neither is known. What is usual counts one error more than there were, so that a short past without any does
 * not promise that there never will be one (Fay and Feuer 1997, for sums of weighted Poisson counts).
 */
export const expectationFor = (evidence: WaveEvidence, tenant: TenantEvidence): Expectation | null => {
  const groups = witnessesOf(evidence, tenant)
  const past = tenant.veteran ? tenant.before : pastOf(tenant)
  return isTelling(past) ? byPast(past, groups) : byOthers(groups)
}

const byPast = (before: Tally, groups: readonly Witnesses[]): Expectation => {
  const known = groups.map((group) => ({
    ...group,
    tenants: group.tenants.filter((one) => isTelling(one.before)),
  }))
  const befell = UNEQUALLY * worstOf(known, ({ before: past, after }) => surely(after) - rateOf(past))
  const usual = (DRIFT * (before.errors + 1)) / before.requests
  // Some trouble adds failures, some multiplies those there are: whichever explains more.
  const rate = Math.max(usual + befell, usual * Math.max(...known.map(timesOf)))
  // What befell the others is taken as certain, so what is known rests on the same variance as before.
  const errors = ((rate / DRIFT) * before.requests) ** 2 / (before.errors + 1)
  return { rate, errors, excessMin: EXCESS_MIN, isAlone: known.every(({ tenants }) => tenants.length === 0) }
}

/** How many times as much fails them as used to. */
const timesOf = (group: Witnesses): number => {
  const meanOf = (shareOf: (one: ControlEvidence) => number) => mean(sound(group, shareOf))
  const past = meanOf(({ before }) => rateOf(before))
  return past === 0 ? 1 : meanOf(({ after }) => rateOf(after)) / past
}

const byOthers = (groups: readonly Witnesses[]): Expectation | null => {
  const all = groups.flatMap(({ tenants }) => tenants)
  if (all.length === 0) return null
  const { errors, requests } = all.map(({ after }) => after).reduce(sum)
  const rate =
    UNEQUALLY *
    Math.max(
      worstOf(groups, ({ after }) => rateOf(after)),
      (errors + 1) / requests,
    )
  return { rate, errors: errors + 1, excessMin: EXCESS_MIN_WITHOUT_PAST, isAlone: false }
}

/** Does half of everything fail those, too, that could tell? */
export const suffersOutage = (evidence: WaveEvidence, tenant: TenantEvidence): boolean =>
  worstOf(witnessesOf(evidence, tenant), ({ after }) => rateOf(after)) >= 0.5

/** The tenant's errors beside those expected, as `ratio.ts` takes them. */
export const stratumOf = ({ requests, errors }: Tally, expected: Expectation): Stratum => ({
  candidateErrors: errors,
  errors: errors + expected.errors,
  share: requests / (requests + expected.errors / expected.rate),
})
