import { TIERS, type Tier } from "../../core/ids.ts"
import { quantile, round } from "../statistics.ts"
import { type Called, KINDS } from "./calls.ts"

export interface Figures {
  requests: number
  p50Ms: number
  p95Ms: number
  p99Ms: number
  failed: number
  limited: number
}

export interface Goal {
  text: string
  seen: number
  met: boolean
}

type ByKind = Record<Called["kind"], Figures>

export interface Report {
  all: Figures
  tiers: Record<Tier, Figures & { kinds: ByKind }>
  kinds: ByKind
  goals: Goal[]
  /** What went wrong, and how often; the first few. */
  failures: { why: string; times: number }[]
}

export interface Counted extends Called {
  tier: Tier
}

const P95_MAX_MS = 500
const FAILED_MAX = 0.01
const LIMITED_MAX = 0.05
const FAILURES_TOLD_MAX = 10

export const figuresOf = (calls: readonly Called[]): Figures => {
  const times = calls.map(({ ms }) => ms)
  const of = (ending: Called["ending"]) => calls.filter((one) => one.ending === ending).length
  const at = (share: number) => (times.length === 0 ? 0 : round(quantile(times, share), 1))
  return {
    requests: calls.length,
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    p99Ms: at(0.99),
    failed: of("failed"),
    limited: of("limited"),
  }
}

const goalsOf = ({ requests, p95Ms, failed, limited }: Figures): Goal[] => {
  const share = (count: number) => (requests === 0 ? 0 : count / requests)
  return [
    { text: "requests were sent", seen: requests, met: requests > 0 },
    { text: `p95 < ${P95_MAX_MS} ms`, seen: p95Ms, met: p95Ms < P95_MAX_MS },
    { text: "failed < 1 %", seen: round(100 * share(failed), 3), met: share(failed) < FAILED_MAX },
    { text: "limited < 5 %", seen: round(100 * share(limited), 3), met: share(limited) < LIMITED_MAX },
  ]
}

const failuresOf = (calls: readonly Called[]): Report["failures"] => {
  const times = new Map<string, number>()
  for (const { why } of calls) if (why !== undefined) times.set(why, (times.get(why) ?? 0) + 1)
  return [...times]
    .sort(([, one], [, other]) => other - one)
    .slice(0, FAILURES_TOLD_MAX)
    .map(([why, count]) => ({ why, times: count }))
}

const byKind = (calls: readonly Called[]): ByKind =>
  Object.fromEntries(
    KINDS.map((kind) => [kind, figuresOf(calls.filter((one) => one.kind === kind))]),
  ) as ByKind

const byTier = (calls: readonly Counted[]): Report["tiers"] =>
  Object.fromEntries(
    TIERS.map((tier) => {
      const own = calls.filter((one) => one.tier === tier)
      return [tier, { ...figuresOf(own), kinds: byKind(own) }]
    }),
  ) as Report["tiers"]

export const reportOf = (calls: readonly Counted[]): Report => {
  const all = figuresOf(calls)
  return {
    all,
    tiers: byTier(calls),
    kinds: byKind(calls),
    goals: goalsOf(all),
    failures: failuresOf(calls),
  }
}

const COLUMNS = ["requests", "p50Ms", "p95Ms", "p99Ms", "failed", "limited"] as const
const HEADS = ["requests", "p50 ms", "p95 ms", "p99 ms", "failed", "limited"]

/** The report as somebody reads it. */
export const linesOf = ({ all, tiers, kinds, goals, failures }: Report): string[] => {
  const row = (name: string, cells: readonly (string | number)[]) =>
    [name.padEnd(12), ...cells.map((cell) => String(cell).padStart(10))].join("")
  const figures = (name: string, of: Figures) =>
    row(
      name,
      COLUMNS.map((column) => of[column]),
    )
  const parts = (of: ByKind) => Object.entries(of).map(([kind, each]) => figures(`  ${kind}`, each))
  return [
    row("", HEADS),
    ...Object.entries(tiers).flatMap(([tier, of]) => [figures(tier, of), ...parts(of.kinds)]),
    figures("all", all),
    ...parts(kinds),
    "",
    ...failures.map(({ why, times }) => `failed ${times} × ${why}`),
    ...goals.map(({ text, seen, met }) => `${met ? "met" : "MISSED"}: ${text} (${seen})`),
  ]
}
