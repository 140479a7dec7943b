/** Upper bounds of how long something took, in seconds; the last bucket has none. */
export const DURATION_BOUNDS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]

/** How many lie in each bucket, the buckets before it not included; and what they come to together. */
export interface Histogram {
  buckets: number[]
  sumSeconds: number
}

export const emptyHistogram = (): Histogram => ({
  buckets: new Array(DURATION_BOUNDS.length + 1).fill(0),
  sumSeconds: 0,
})

/** Puts so many that took up to `seconds` into their bucket. */
export const observe = (into: Histogram, seconds: number, many = 1): void => {
  let bucket = 0
  while (bucket < DURATION_BOUNDS.length && seconds > DURATION_BOUNDS[bucket]!) bucket++
  into.buckets[bucket]! += many
  into.sumSeconds += seconds * many
}

export const addHistogram = (into: Histogram, more: Histogram): void => {
  for (const [bucket, many] of more.buckets.entries()) into.buckets[bucket]! += many
  into.sumSeconds += more.sumSeconds
}
