/** The value below which `share` of the samples lie (nearest rank). */
export const quantile = (samples: readonly number[], share: number): number => {
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5)

/** Median of the ratios pair by pair: what drifts with the machine cancels out. */
export const pairedRatio = (a: readonly number[], b: readonly number[]): number =>
  median(a.map((value, round) => value / b[round]!))

export const round = (value: number, digits = 2): number => Number(value.toFixed(digits))
