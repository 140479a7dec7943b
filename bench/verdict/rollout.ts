import type { Chance } from "./chance.ts"

/** One of a tenant's clients: a server that serves both arms, or an application that reads one. */
export interface Client {
  name: string
  /** Its share of the traffic. */
  share: number
  /** Of its requests, those that fall to the candidate at each step. */
  candidateShares: readonly number[]
  /** Fails so often from then on, whatever it reads. */
  sick: { fromS: number; rate: number } | null
}

interface Spell {
  fromS: number
  toS: number
  factor: number
}

/** A rollout that never was: who reads, how much, what fails, and whether the candidate is to blame. */
export interface Rollout {
  kind: "servers" | "applications"
  steps: readonly { weightBp: number; holdS: number }[]
  clients: readonly Client[]
  requestsPerS: number
  /** Share of requests that fail anyway. */
  baseline: number
  day: { depth: number; phase: number; periodS: number }
  /** Times the usual traffic. */
  bursts: readonly Spell[]
  /** Something that both arms need is ill: so many more requests fail. */
  outages: readonly Spell[]
  /** How often a client, for a second, fails nearly everything: errors come in clusters. */
  stumblesPerS: number
  /** Requests that fail because of the candidate. */
  defect: { rate: number; fromS: number } | null
}

const WEIGHTS = [500, 1_000, 1_000, 2_500] as const
const HOLD_S = 120
const LASTS_S = 2 * HOLD_S

const spells = (chance: Chance, most: number, longestS: number, low: number, high: number): Spell[] =>
  Array.from({ length: chance.whole(0, most) }, () => {
    const fromS = chance.between(0, LASTS_S)
    return { fromS, toS: fromS + chance.between(3, longestS), factor: chance.between(low, high) }
  })

const serverShares = (chance: Chance, weights: readonly number[]): number[] => {
  // Subjects stick to servers, so each has its own mixture; at a later step it has more of the candidate's.
  const subjects = chance.happens(0.5) ? 10_000 : chance.whole(20, 200)
  const buckets = Array.from({ length: Math.min(subjects, 200) }, () => chance.next())
  return weights.map((weight) =>
    subjects === 10_000 ? weight : buckets.filter((bucket) => bucket < weight).length / buckets.length,
  )
}

const clientsOf = (chance: Chance, kind: Rollout["kind"], weights: readonly number[]): Client[] => {
  const count = kind === "servers" ? Math.round(chance.spread(1, 40)) : Math.round(chance.spread(30, 300))
  const traffic = Array.from({ length: count }, () => chance.between(0.5, 1.5))
  const whole = traffic.reduce((sum, one) => sum + one, 0)
  const isSickly = chance.happens(0.4) && count > 1
  const sickMost = Math.max(1, Math.floor(count / 50))
  const sick = new Set(
    isSickly ? Array.from({ length: chance.whole(1, sickMost) }, () => chance.whole(0, count - 1)) : [],
  )
  return traffic.map((one, i) => {
    const bucket = chance.next()
    return {
      name: `client-${i}`,
      share: one / whole,
      candidateShares:
        kind === "servers"
          ? serverShares(chance, weights)
          : weights.map((weight) => (bucket < weight ? 1 : 0)),
      sick: sick.has(i) ? { fromS: chance.between(0, LASTS_S), rate: chance.between(0.2, 1) } : null,
    }
  })
}

/** Draws a rollout. `isBad`: its candidate fails at least 10 points more often than stable, at 20 requests/s or more. */
export const drawRollout = (chance: Chance, isBad: boolean): Rollout => {
  const kind = chance.happens(0.6) ? "servers" : "applications"
  const first = WEIGHTS[chance.whole(0, WEIGHTS.length - 1)]!
  const steps = [
    { weightBp: first, holdS: HOLD_S },
    { weightBp: 5_000, holdS: HOLD_S },
  ]
  const clients = clientsOf(
    chance,
    kind,
    steps.map(({ weightBp }) => weightBp / 10_000),
  )
  return {
    kind,
    steps,
    clients,
    requestsPerS: chance.spread(20, 200),
    baseline: chance.spread(0.001, 0.05),
    day: { depth: chance.between(0, 0.6), phase: chance.between(0, 7), periodS: chance.between(300, 3_000) },
    bursts: chance.happens(0.5) ? spells(chance, 4, 20, 2, 8) : [],
    outages: chance.happens(0.3) ? spells(chance, 2, 40, 0.05, 0.6) : [],
    stumblesPerS: chance.happens(0.4) ? chance.spread(0.0005, 0.01) : 0,
    defect: isBad
      ? { rate: chance.spread(0.1, 1), fromS: chance.happens(0.5) ? 0 : chance.between(0, 60) }
      : null,
  }
}

const inside = (spell: Spell, second: number): boolean => spell.fromS <= second && second < spell.toS

/** Requests per second at that second. */
export const trafficAt = ({ requestsPerS, day, bursts }: Rollout, second: number): number => {
  const { depth, phase, periodS } = day
  const tide = 1 + depth * Math.sin(phase + (2 * Math.PI * second) / periodS)
  return bursts
    .filter((burst) => inside(burst, second))
    .reduce((rate, { factor }) => rate * factor, requestsPerS * tide)
}

/** How likely a request of that client fails on that arm, at that second. */
export const failureAt = (
  { baseline, outages, defect }: Rollout,
  client: Client,
  isCandidate: boolean,
  second: number,
): number => {
  const shared = outages
    .filter((outage) => inside(outage, second))
    .reduce((worst, { factor }) => Math.max(worst, factor), 0)
  const own = client.sick !== null && second >= client.sick.fromS ? client.sick.rate : 0
  const blame = isCandidate && defect !== null && second >= defect.fromS ? defect.rate : 0
  return Math.min(1, 1 - (1 - baseline) * (1 - shared) * (1 - own) + blame)
}
