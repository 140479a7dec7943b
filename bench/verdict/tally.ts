import { Chance } from "./chance.ts"
import { type Played, play } from "./play.ts"
import { drawRollout, type Rollout } from "./rollout.ts"
import type { FixedRule } from "./rules.ts"

export interface Run {
  rollout: Rollout
  played: Played
}

/** Every other one is bad. The same seed draws the same runs. */
export const playRuns = (count: number, seed: number): Run[] =>
  Array.from({ length: count }, (_, i) => {
    const chance = new Chance(seed * 1_000_003 + i)
    const rollout = drawRollout(chance, i % 2 === 1)
    return { rollout, played: play(rollout, chance) }
  })

export interface Tally {
  /** Of the rollouts rolled back, those that were bad; of the bad ones, those rolled back in time. */
  precision: number
  recall: number
  falseAlarms: number
  missed: number
  /** From the moment it began to fail, in seconds, ascending. */
  detectedAfterS: readonly number[]
}

/** `rule`: the gate when left out. */
export const tally = (runs: readonly Run[], rule?: FixedRule): Tally => {
  const atS = ({ played }: Run) => (rule === undefined ? played.rolledBackS : played.fixed[rule])
  const isRight = (run: Run): boolean => {
    const at = atS(run)
    return run.rollout.defect !== null && at !== null && at > run.rollout.defect.fromS
  }
  const alarms = runs.filter((run) => atS(run) !== null)
  const bad = runs.filter(({ rollout }) => rollout.defect !== null)
  const right = alarms.filter(isRight)
  return {
    precision: right.length / Math.max(1, alarms.length),
    recall: right.length / Math.max(1, bad.length),
    falseAlarms: alarms.length - right.length,
    missed: bad.length - right.length,
    detectedAfterS: right
      .map((run) => atS(run)! - run.rollout.defect!.fromS)
      .sort((one, other) => one - other),
  }
}
