import type { JudgedStep } from "../../core/gate/judge.ts"
import { blocks, type Verdict } from "../../core/gate/verdict.ts"
import type { Tally } from "../../core/gate/waves.ts"
import { judgeTenant, judgeWaves } from "../../core/gate/waves-judge.ts"
import type { Chance } from "./chance.ts"
import { type PlatformRollout, platformFailure, platformTraffic, type SimulatedTenant } from "./platform.ts"
import { PlatformLedger } from "./platform-ledger.ts"
import type { FixedRule } from "./rules.ts"

export interface PlayedPlatform {
  /** When everyone was taken back, in seconds since the start; `null`: they were not. */
  rolledBackS: number | null
  /** Whom the gate took out of the waves, when, and since when the candidate failed them (`null`: it did not). */
  tripped: readonly { name: string; atS: number; failedFromS: number | null }[]
  /** It was still being held when the time was up. */
  held: boolean
  words: string
  /** When each fixed rule would have taken everyone back. */
  fixed: Readonly<Record<FixedRule, number | null>>
}

/** As many of those reached take everyone back; the trip rule of `core/change`. */
const TRIPS = 3
const TRIPS_LEAST = 2
/** A person looks at what is held or paused after so long, and lets it go on. */
const PERSON_AFTER_S = 120
const PATIENCE_S = 300
/** A past of ten minutes' half-life holds so many seconds of traffic. */
const PAST_S = 866
const START_MS = Date.parse("2026-03-01T00:00:00.000Z")
/** How much fails of what a client does in a second in which it stumbles. */
const STUMBLING = 0.9

const tripsNeeded = (reached: number): number => Math.max(TRIPS_LEAST, Math.min(TRIPS, reached))

const pastOf = (chance: Chance, { stumblesPerS }: PlatformRollout, tenant: SimulatedTenant): Tally => {
  if (tenant.isNew) return { requests: 0, errors: 0 }
  const requests = chance.arrivals(tenant.requestsPerS * chance.between(60, PAST_S))
  const sickFor = tenant.sick === null ? 0 : Math.min(1, Math.max(0, -tenant.sick.fromS / PAST_S))
  const ill = chance.hits(requests, sickFor)
  return {
    requests,
    errors:
      chance.hits(requests - ill, tenant.usual + STUMBLING * stumblesPerS) +
      chance.hits(ill, tenant.sick?.rate ?? 0),
  }
}

const seen = (
  chance: Chance,
  rollout: PlatformRollout,
  tenant: SimulatedTenant,
  second: number,
  readsForS: number | null,
): Tally => {
  const requests = chance.arrivals(platformTraffic(rollout, tenant, second) * rollout.reportsEveryS)
  const stumbling = chance.happens(rollout.stumblesPerS * tenant.clients * rollout.reportsEveryS)
    ? STUMBLING / tenant.clients / rollout.reportsEveryS
    : 0
  const failure = platformFailure(rollout, tenant, readsForS, second)
  return { requests, errors: chance.hits(requests, Math.min(1, failure + (1 - failure) * stumbling)) }
}

/** A threshold needs no control: it compares a tenant with its own past, or with nothing. */
const FIXED: Readonly<Record<FixedRule, (before: Tally, after: Tally) => boolean>> = {
  "2 × baseline, min 50": (before, after) =>
    after.requests >= 50 &&
    before.requests > 0 &&
    after.errors / after.requests > (2 * before.errors) / before.requests,
  "> 5 %, min 100": (_, after) => after.requests >= 100 && after.errors / after.requests > 0.05,
}
const RULES = Object.keys(FIXED) as FixedRule[]

/** A verdict against a tenant takes at least this much more than usual: what is certain not to be is not judged. */
const mayTrip = (before: Tally, settled: Tally): boolean =>
  settled.errors / Math.max(1, settled.requests) >= before.errors / Math.max(1, before.requests) + 0.03

/** Lets a rollout reach a platform wave by wave, until it is rolled back, live, or held for too long. */
export const playPlatform = (rollout: PlatformRollout, chance: Chance): PlayedPlatform => {
  const { tenants, holdsS, reportsEveryS } = rollout
  const ledger = new PlatformLedger(
    tenants.map((tenant) => ({
      name: tenant.name,
      tier: tenant.tier,
      before: pastOf(chance, rollout, tenant),
    })),
  )
  const reads = new Map<string, number>()
  const tripped: { name: string; atS: number; failedFromS: number | null }[] = []
  const out = new Set<string>()
  const fixedTrips = new Map(RULES.map((rule) => [rule, new Set<string>()]))
  const fixed: Record<FixedRule, number | null> = { "2 × baseline, min 50": null, "> 5 %, min 100": null }
  let ended: Pick<PlayedPlatform, "rolledBackS" | "words"> | null = null
  let second = 0
  for (const [index, holdS] of holdsS.entries()) {
    const enteredS = second
    ledger.nextStep()
    for (const tenant of tenants)
      if (tenant.step === index) reads.set(tenant.name, second + tenant.noticesAfterS)
    const needed = tripsNeeded(tenants.filter(({ step }) => step <= index).length)
    const enteredAt = new Date(START_MS + enteredS * 1_000).toISOString()
    const step: JudgedStep = { index, weightBp: 0, steps: holdsS.length, enteredAt, holdMs: holdS * 1_000 }
    let pausedS = 0
    let pausedUntilS = 0
    for (let goesOn = false; !goesOn; ) {
      second++
      const atMs = START_MS + second * 1_000
      const now = new Date(atMs).toISOString()
      for (const tenant of tenants) {
        if (second % reportsEveryS !== tenant.phaseS) continue
        const { name } = tenant
        const readsFrom = reads.get(name)
        const isReached = readsFrom !== undefined
        // Whoever was not told yet reports on a step that is over.
        if (isReached && second < readsFrom) continue
        const readsForS = isReached && !out.has(name) ? second - readsFrom : null
        const tally = seen(chance, rollout, tenant, second, readsForS)
        if (tally.requests === 0) continue
        ledger.add(name, isReached, tally, atMs)
        if (!isReached) continue
        const { before, after, settled } = ledger.tallies(name)
        for (const rule of RULES) if (FIXED[rule](before, after)) fixedTrips.get(rule)!.add(name)
        if (ended !== null || out.has(name) || !mayTrip(before, settled)) continue
        const verdict = judgeTenant(ledger.evidence(name), step, now)
        if (verdict.kind !== "unhealthy") continue
        const { defect } = tenant
        tripped.push({ name, atS: second, failedFromS: defect && readsFrom + defect.afterS })
        out.add(name)
        ledger.takeOut(name)
        if (tripped.length >= needed) ended = { rolledBackS: second, words: verdict.words }
        else pausedUntilS = second + PERSON_AFTER_S
      }
      for (const rule of RULES) fixed[rule] ??= fixedTrips.get(rule)!.size >= needed ? second : null
      const isPaused = ended === null && second < pausedUntilS
      pausedS += isPaused ? 1 : 0
      const overS = second - enteredS - pausedS - holdS
      if (isPaused || overS < 0) continue
      const verdict: Verdict | null = ended === null ? judgeWaves(ledger.evidence(), step, now) : null
      if (verdict?.kind === "unhealthy") ended = { rolledBackS: second, words: verdict.words }
      const isHeld = ended === null && verdict !== null && blocks(verdict)
      if (isHeld && overS >= PATIENCE_S)
        return { rolledBackS: null, tripped, held: true, words: verdict.words, fixed }
      goesOn = !isHeld
    }
  }
  return { rolledBackS: null, words: "", ...ended, tripped, held: false, fixed }
}
