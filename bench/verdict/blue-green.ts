import { type JudgedStep, judge } from "../../core/gate/judge.ts"
import { afterSwitch } from "../../core/gate/switch.ts"
import { blocks } from "../../core/gate/verdict.ts"
import { Chance } from "./chance.ts"
import { Ledger } from "./ledger.ts"
import { drawRollout, failureAt, type Rollout, trafficAt } from "./rollout.ts"
import type { Tally } from "./tally.ts"

export interface Switched {
  rollout: Rollout
  /** Seconds since the switch; `null`: nobody was switched back. */
  switchedBackS: number | null
  held: boolean
}

const BEFORE_S = 120
const BAKE_S = 120
/** What is held so long after the bake is a person's to end. */
const PATIENCE_S = 300
const START_MS = Date.parse("2026-03-01T00:00:00.000Z")
const STUMBLING = 0.9

const instant = (second: number): string => new Date(START_MS + second * 1_000).toISOString()

/** Everyone reads stable for two minutes, and is then switched to the candidate. */
const play = (rollout: Rollout, chance: Chance): Switched => {
  const ledgers = { stable: new Ledger(), candidate: new Ledger() }
  const step: JudgedStep = {
    index: 1,
    weightBp: 10_000,
    steps: 2,
    enteredAt: instant(BEFORE_S),
    holdMs: BAKE_S * 1_000,
  }
  let isHeld = false
  for (let second = 0; second < BEFORE_S + BAKE_S + PATIENCE_S; second++) {
    const arm = second < BEFORE_S ? "stable" : "candidate"
    for (const client of rollout.clients) {
      const requests = chance.arrivals(Math.min(400, trafficAt(rollout, second) * client.share))
      const stumbles = chance.happens(rollout.stumblesPerS)
      const reads =
        arm === "candidate" && (rollout.defect === null || second >= BEFORE_S + rollout.defect.fromS)
      const failure = failureAt(rollout, client, reads, second)
      const errors = chance.hits(requests, stumbles ? Math.max(failure, STUMBLING) : failure)
      if (requests > 0)
        ledgers[arm].add({ arm, instance: client.name, ok: requests - errors, errors }, instant(second + 1))
    }
    if (arm === "stable") continue
    const evidence = afterSwitch(ledgers.candidate.evidence(), ledgers.stable.evidence())
    const verdict = judge(evidence, step, instant(second + 1))
    if (verdict.kind === "unhealthy") return { rollout, switchedBackS: second + 1 - BEFORE_S, held: false }
    isHeld = blocks(verdict)
    if (second + 1 >= BEFORE_S + BAKE_S && !isHeld) break
  }
  return { rollout, switchedBackS: null, held: isHeld }
}

/** Every other one is bad. The same seed draws the same runs. */
export const playSwitches = (count: number, seed: number): Switched[] =>
  Array.from({ length: count }, (_, i) => {
    const chance = new Chance(seed * 1_000_003 + i)
    const drawn = drawRollout(chance, i % 2 === 1)
    return play(drawn, chance)
  })

export const tallySwitches = (runs: readonly Switched[]): Tally => {
  const alarms = runs.filter(({ switchedBackS }) => switchedBackS !== null)
  const bad = runs.filter(({ rollout }) => rollout.defect !== null)
  const right = alarms.filter(({ rollout }) => rollout.defect !== null)
  return {
    precision: right.length / Math.max(1, alarms.length),
    recall: right.length / Math.max(1, bad.length),
    falseAlarms: alarms.length - right.length,
    missed: bad.length - right.length,
    detectedAfterS: right
      .map(({ switchedBackS, rollout }) => switchedBackS! - rollout.defect!.fromS)
      .sort((one, other) => one - other),
  }
}
