import { type JudgedStep, judge } from "../../core/gate/judge.ts"
import { blocks } from "../../core/gate/verdict.ts"
import type { Chance } from "./chance.ts"
import { Ledger } from "./ledger.ts"
import { type Client, failureAt, type Rollout, trafficAt } from "./rollout.ts"
import { FIXED_RULES, type FixedRule } from "./rules.ts"

export interface Played {
  /** When the gate rolled it back, in seconds since the start; `null`: it did not. */
  rolledBackS: number | null
  words: string
  /** It was still being held when the time was up. */
  held: boolean
  /** When each fixed rule would have rolled it back. */
  fixed: Readonly<Record<FixedRule, number | null>>
}

const START_MS = Date.parse("2026-03-01T00:00:00.000Z")
/** A hold that does not end in so long is a person's to end. */
const PATIENCE_S = 300
/** Looks at the evidence each second, in the middle of the reports as well as after them. */
const LOOKS_PER_S = 2

/** How much fails of what a client does in a second in which it stumbles. */
const STUMBLING = 0.9

const instant = (second: number): string => new Date(START_MS + second * 1_000).toISOString()

const report = (
  chance: Chance,
  rollout: Rollout,
  ledger: Ledger,
  client: Client,
  step: number,
  second: number,
): void => {
  const requests = chance.poisson(Math.min(400, trafficAt(rollout, second) * client.share))
  const ofCandidate = chance.binomial(requests, client.candidateShares[step]!)
  const stumbles = chance.happens(rollout.stumblesPerS)
  for (const arm of ["stable", "candidate"] as const) {
    const isCandidate = arm === "candidate"
    const seen = isCandidate ? ofCandidate : requests - ofCandidate
    if (seen === 0) continue
    const failure = failureAt(rollout, client, isCandidate, second)
    const errors = chance.binomial(seen, stumbles ? Math.max(failure, STUMBLING) : failure)
    ledger.add({ arm, instance: client.name, ok: seen - errors, errors }, instant(second))
  }
}

/** Lets a rollout happen, each client reporting once a second, until it is rolled back, live, or held for too long. */
export const play = (rollout: Rollout, chance: Chance): Played => {
  const fixed: Record<FixedRule, number | null> = { "2 × baseline, min 50": null, "> 5 %, min 100": null }
  let played: Pick<Played, "rolledBackS" | "words" | "held"> = { rolledBackS: null, words: "", held: false }
  let isJudged = false
  let second = 0
  for (const [index, { weightBp, holdS }] of rollout.steps.entries()) {
    const ledger = new Ledger()
    const enteredS = second
    const step: JudgedStep = {
      index,
      weightBp,
      steps: rollout.steps.length,
      enteredAt: instant(enteredS),
      holdMs: holdS * 1_000,
    }
    for (let goesOn = false; !goesOn; second++) {
      const verdicts = Array.from({ length: LOOKS_PER_S }, (_, look) => {
        for (const [i, client] of rollout.clients.entries())
          if (i % LOOKS_PER_S === look) report(chance, rollout, ledger, client, index, second)
        return isJudged ? null : judge(ledger.evidence(), step, instant(second + 1))
      })
      const { arms } = ledger.evidence()
      for (const rule of FIXED_RULES) fixed[rule.name] ??= rule.trips(arms) ? second + 1 : null
      const bad = verdicts.find((verdict) => verdict?.kind === "unhealthy")
      if (bad && !isJudged) {
        played = { rolledBackS: second + 1, words: bad.words, held: false }
        isJudged = true
      }
      const last = verdicts.at(-1) ?? null
      const overS = second + 1 - enteredS - holdS
      const held = !isJudged && last !== null && blocks(last)
      if (held && overS >= PATIENCE_S) return { ...played, words: last.words, held: true, fixed }
      // Once the gate has acted, time goes on for the fixed rules only.
      goesOn = overS >= 0 && !held
    }
  }
  return { ...played, fixed }
}
