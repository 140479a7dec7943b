/** Chance that can be repeated: mulberry32. */
export class Chance {
  #state: number
  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** From 0 up to, not including, 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next()
  }

  whole(low: number, high: number): number {
    return Math.floor(this.between(low, high + 1))
  }

  /** As many below the geometric middle as above it. */
  spread(low: number, high: number): number {
    return low * (high / low) ** this.next()
  }

  happens(probability: number): boolean {
    return this.next() < probability
  }

  binomial(trials: number, probability: number): number {
    let hits = 0
    for (let trial = 0; trial < trials; trial++) if (this.next() < probability) hits++
    return hits
  }

  /** Knuth's way; fit for the small means there are here. */
  poisson(mean: number): number {
    const floor = Math.exp(-mean)
    let count = 0
    for (let product = this.next(); product > floor; product *= this.next()) count++
    return count
  }

  /** Of the normal distribution, mean 0 and deviation 1 (Box and Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next())
  }

  /** Poisson for any mean: beyond 30 by the normal distribution. */
  arrivals(mean: number): number {
    return mean < 30 ? this.poisson(mean) : Math.max(0, Math.round(mean + Math.sqrt(mean) * this.normal()))
  }

  /** Binomial for any number of trials: by the gaps between hits where these are rare, else by the normal distribution. */
  hits(trials: number, probability: number): number {
    if (probability <= 0 || trials === 0) return 0
    if (probability > 0.5) return trials - this.hits(trials, 1 - probability)
    const mean = trials * probability
    if (mean > 30)
      return Math.min(
        trials,
        Math.max(0, Math.round(mean + Math.sqrt(mean * (1 - probability)) * this.normal())),
      )
    const scale = Math.log1p(-probability)
    let hits = -1
    for (let trial = 0; trial <= trials; hits++) trial += 1 + Math.floor(Math.log(1 - this.next()) / scale)
    return Math.min(hits, trials)
  }
}
