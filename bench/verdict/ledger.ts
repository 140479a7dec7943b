import { countedOf, type Evidence, type InstanceGroup, type OutcomeReport } from "../../core/gate/evidence.ts"
import type { Arm } from "../../core/release/arms.ts"

type Counts = Record<
  Arm,
  { ok: number; errors: number; guards: number; lastAt: string | null; latency: number[] }
>

const ARMS = ["stable", "candidate"] as const

const noCounts = (): Counts => ({
  stable: { ok: 0, errors: 0, guards: 0, lastAt: null, latency: [] },
  candidate: { ok: 0, errors: 0, guards: 0, lastAt: null, latency: [] },
})

/** The evidence of one step, gathered in memory as the database gathers it in tables. */
export class Ledger {
  readonly #instances = new Map<string, Counts>()
  readonly #total = noCounts()
  #since: string | null = null

  add(report: Omit<OutcomeReport, "revision" | "seq">, at: string): void {
    const counts = this.#instances.get(report.instance) ?? noCounts()
    this.#instances.set(report.instance, counts)
    const { ok, errors, latency } = countedOf(report)
    for (const one of [counts[report.arm], this.#total[report.arm]]) {
      one.ok += ok
      one.errors += errors
      one.guards += report.guard === undefined ? 0 : 1
      one.lastAt = at
      one.latency =
        latency.length === 0 ? one.latency : latency.map((count, i) => count + (one.latency[i] ?? 0))
    }
    this.#since ??= at
  }

  evidence(): Evidence {
    const groups = new Map<string, InstanceGroup>()
    let pairedExpected = 0
    for (const counts of this.#instances.values()) {
      const requests = (arm: Arm) => counts[arm].ok + counts[arm].errors
      const paired = requests("stable") > 0 && requests("candidate") > 0
      if (paired)
        pairedExpected +=
          ((counts.stable.errors + counts.candidate.errors) * requests("candidate")) /
          (requests("stable") + requests("candidate"))
      for (const arm of ARMS) if (requests(arm) > 0) group(groups, arm, paired, counts[arm])
    }
    const armOf = (arm: Arm) => {
      const { ok, ...rest } = this.#total[arm]
      return { ...rest, requests: ok + rest.errors }
    }
    const arms = { stable: armOf("stable"), candidate: armOf("candidate") }
    return { since: this.#since, arms, groups: [...groups.values()], pairedExpected }
  }
}

const group = (
  groups: Map<string, InstanceGroup>,
  arm: Arm,
  paired: boolean,
  { ok, errors }: { ok: number; errors: number },
): void => {
  const key = `${arm} ${paired} ${ok > 0} ${errors}`
  const known = groups.get(key)
  if (known === undefined)
    groups.set(key, {
      arm,
      paired,
      succeeds: ok > 0,
      errorsEach: errors,
      instances: 1,
      requests: ok + errors,
    })
  else {
    known.instances += 1
    known.requests += ok + errors
  }
}
