import { quantile, round } from "../statistics.ts"
import { playSwitches, tallySwitches } from "../verdict/blue-green.ts"
import { Chance } from "../verdict/chance.ts"
import { playPlatforms, tallyPlatforms, tallyTrips } from "../verdict/platform-tally.ts"
import { play } from "../verdict/play.ts"
import type { Rollout } from "../verdict/rollout.ts"
import { FIXED_RULES } from "../verdict/rules.ts"
import { playRuns, type Run, type Tally, tally } from "../verdict/tally.ts"
import type { Suite } from "./suite.ts"

const RUNS = 3_000
const SEED = 2_026
const PLAIN_RUNS = 300
const PLATFORM_RUNS = 1_000
const SWITCH_RUNS = 400

const percent = (share: number): number => round(share * 100, 2)

const valuesOf = ({ precision, recall, falseAlarms, missed, detectedAfterS }: Tally) => ({
  precisionPercent: percent(precision),
  recallPercent: percent(recall),
  falseAlarms,
  missed,
  medianS: round(quantile(detectedAfterS, 0.5), 1),
  p95S: round(quantile(detectedAfterS, 0.95), 1),
})

/** The plainest bad candidate: half of its requests fail, at 20 requests a second and a tenth of them. */
const plain = (seed: number): Run => {
  const chance = new Chance(seed)
  const rollout: Rollout = {
    kind: "servers",
    steps: [
      { weightBp: 1_000, holdS: 120 },
      { weightBp: 5_000, holdS: 120 },
    ],
    clients: Array.from({ length: 4 }, (_, i) => ({
      name: `server-${i}`,
      share: 0.25,
      candidateShares: [0.1, 0.5],
      sick: null,
    })),
    requestsPerS: 20,
    baseline: 0.005,
    day: { depth: 0, phase: 0, periodS: 300 },
    bursts: [],
    outages: [],
    stumblesPerS: 0,
    defect: { rate: 0.5, fromS: 0 },
  }
  return { rollout, played: play(rollout, chance) }
}

/**
 * Rollouts that never were, half of them bad by 10 points or more at 20 requests/s or more, with bursts, tides, outages
 * that hit both arms, and sick hosts: how often the gate is right, and how soon, beside what is used elsewhere.
 */
export const verdict: Suite = {
  name: "verdict",
  run: async (report) => {
    const runs = playRuns(RUNS, SEED)
    const gate = tally(runs)
    const isMet = gate.precision >= 0.99 && gate.recall >= 0.99
    report.figure({
      suite: "verdict",
      name: `gate, ${RUNS} rollouts`,
      values: valuesOf(gate),
      goal: { text: "precision and recall ≥ 99 %", met: isMet },
    })
    for (const kind of ["servers", "applications"] as const)
      report.figure({
        suite: "verdict",
        name: `gate, ${kind}`,
        values: valuesOf(tally(runs.filter(({ rollout }) => rollout.kind === kind))),
      })
    for (const { name } of FIXED_RULES)
      report.figure({ suite: "verdict", name: `"${name}"`, values: valuesOf(tally(runs, name)) })
    const good = runs.filter(({ rollout }) => rollout.defect === null)
    report.figure({
      suite: "verdict",
      name: "good rollouts that a person has to let go on",
      values: { held: good.filter(({ played }) => played.held).length, of: good.length },
    })
    report.figure({
      suite: "verdict",
      name: "50 % errors, 20 requests/s, a 10 % arm",
      values: valuesOf(tally(Array.from({ length: PLAIN_RUNS }, (_, i) => plain(SEED + i)))),
    })
    platforms(report)
    const switches = playSwitches(SWITCH_RUNS, SEED)
    report.figure({
      suite: "verdict",
      name: `blue-green, ${SWITCH_RUNS} switches`,
      values: { ...valuesOf(tallySwitches(switches)), held: switches.filter(({ held }) => held).length },
    })
  },
}

/** Rollouts by waves over 30 to 300 tenants, half of them bad for three or more. */
const platforms = (report: Parameters<Suite["run"]>[0]): void => {
  const runs = playPlatforms(PLATFORM_RUNS, SEED)
  const gate = tallyPlatforms(runs)
  report.figure({
    suite: "verdict",
    name: `waves, ${PLATFORM_RUNS} rollouts`,
    values: valuesOf(gate),
    goal: { text: "precision and recall ≥ 99 %", met: gate.precision >= 0.99 && gate.recall >= 0.99 },
  })
  for (const { name } of FIXED_RULES)
    report.figure({
      suite: "verdict",
      name: `waves, "${name}"`,
      values: valuesOf(tallyPlatforms(runs, name)),
    })
  const { trips, falseTrips, afterS } = tallyTrips(runs)
  report.figure({
    suite: "verdict",
    name: "waves, tenants taken out",
    values: {
      trips,
      falseTrips,
      medianS: round(quantile(afterS, 0.5), 1),
      p95S: round(quantile(afterS, 0.95), 1),
    },
  })
  const good = runs.filter(({ rollout }) => !rollout.isBad)
  const oneSick = good.filter(
    ({ rollout }) => rollout.tenants.filter(({ sick }) => sick !== null).length === 1,
  )
  const rolledBack = oneSick.filter(({ played }) => played.rolledBackS !== null).length
  report.figure({
    suite: "verdict",
    name: "waves, good rollouts with one sick tenant",
    values: { rolledBack, of: oneSick.length },
  })
}
