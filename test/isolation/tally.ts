/** What probes are counted by. */
export const DIMENSIONS = ["operation", "place", "identity", "whose", "method", "door", "status"] as const

export interface Tally {
  /** Different requests. */
  probes: number
  /** Two of them that differ in whose names they carry, as foreign and as missing ones. */
  pairs: number
  counts: Record<(typeof DIMENSIONS)[number], Record<string, number>>
  /** How long the two of each pair took, in milliseconds. */
  times: [foreign: number, missing: number][]
  leaks: string[]
}

export const emptyTally = (): Tally => ({
  probes: 0,
  pairs: 0,
  counts: Object.fromEntries(DIMENSIONS.map((name) => [name, {}])) as Tally["counts"],
  times: [],
  leaks: [],
})

const at = (sorted: readonly number[], share: number): string =>
  sorted[Math.floor((sorted.length - 1) * share)]!.toFixed(3)

const quantiles = (times: readonly number[]): string => {
  const sorted = [...times].sort((one, other) => one - other)
  return [0.5, 0.9, 0.99].map((share) => `p${share * 100} ${at(sorted, share)} ms`).join(", ")
}

/** Counts by kind, the most frequent first; and whether time tells a foreign name from a missing one. */
export const inWords = ({ probes, pairs, counts, times }: Tally, size: number, tookMs: number): string => {
  const slower = times.filter(([foreign, missing]) => foreign > missing).length
  return [
    `${probes} requests of a matrix of ${size}, ${pairs} pairs, in ${Math.round(tookMs / 1_000)} s`,
    ...DIMENSIONS.map((name) => {
      const kinds = Object.entries(counts[name]).sort(([, one], [, other]) => other - one)
      return `${name} (${kinds.length}): ${kinds.map(([kind, count]) => `${kind} ${count}`).join(", ")}`
    }),
    `foreign: ${quantiles(times.map(([foreign]) => foreign))}`,
    `missing: ${quantiles(times.map(([, missing]) => missing))}`,
    `the foreign one took longer in ${((slower / times.length) * 100).toFixed(2)} % of pairs`,
  ].join("\n")
}
