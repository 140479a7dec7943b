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
}
