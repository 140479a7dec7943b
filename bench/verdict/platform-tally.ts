import { Chance } from "./chance.ts"
import { drawPlatform, NOTICED, type PlatformRollout } from "./platform.ts"
import { type PlayedPlatform, playPlatform } from "./platform-play.ts"
import type { FixedRule } from "./rules.ts"
import type { Tally } from "./tally.ts"

export interface PlatformRun {
  rollout: PlatformRollout
  played: PlayedPlatform
}

/** Every other one is bad. The same seed draws the same runs. */
export const playPlatforms = (count: number, seed: number): PlatformRun[] =>
  Array.from({ length: count }, (_, i) => {
    const chance = new Chance(seed * 1_000_003 + i)
    const rollout = drawPlatform(chance, i % 2 === 1)
    return { rollout, played: playPlatform(rollout, chance) }
  })

/** When as many tenants with enough traffic were being failed as it takes, had no wave been held. */
const noticeableFromS = ({ tenants, holdsS }: PlatformRollout): number => {
  const from = tenants
    .filter(({ defect, requestsPerS }) => defect !== null && requestsPerS >= NOTICED.requestsPerS)
    .map(({ step, noticesAfterS, defect }) => {
      const reachedS = holdsS.slice(0, step).reduce((sum, hold) => sum + hold, 0)
      return reachedS + noticesAfterS + defect!.afterS
    })
    .sort((one, other) => one - other)
  return from[NOTICED.tenants - 1] ?? Number.POSITIVE_INFINITY
}

/** `rule`: the gate when left out. */
export const tallyPlatforms = (runs: readonly PlatformRun[], rule?: FixedRule): Tally => {
  const atS = ({ played }: PlatformRun) => (rule === undefined ? played.rolledBackS : played.fixed[rule])
  const alarms = runs.filter((run) => atS(run) !== null)
  const bad = runs.filter(({ rollout }) => rollout.isBad)
  const right = alarms.filter(({ rollout }) => rollout.isBad)
  return {
    precision: right.length / Math.max(1, alarms.length),
    recall: right.length / Math.max(1, bad.length),
    falseAlarms: alarms.length - right.length,
    missed: bad.length - right.length,
    detectedAfterS: right
      .map((run) => Math.max(0, atS(run)! - noticeableFromS(run.rollout)))
      .sort((one, other) => one - other),
  }
}

/** How long a tenant was failed before it was taken out, and how many were taken out that no candidate failed. */
export const tallyTrips = (runs: readonly PlatformRun[]) => {
  const trips = runs.flatMap(({ played }) => played.tripped)
  const right = trips.filter(({ failedFromS }) => failedFromS !== null)
  return {
    trips: trips.length,
    falseTrips: trips.length - right.length,
    afterS: right.map(({ atS, failedFromS }) => atS - failedFromS!).sort((one, other) => one - other),
  }
}
