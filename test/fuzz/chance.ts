/** What a seed decides. The same seed draws the same, whatever was drawn elsewhere meanwhile. */
export interface Chance {
  /** A whole number from 0 to one less than `limit`. */
  below(limit: number): number
  /** True so often, of 1. */
  of(share: number): boolean
  one<T>(items: readonly T[]): T
}

/** Of one request: mulberry32 over the run's seed and the request's number. */
export const chanceOf = (seed: number, number: number): Chance => {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)) >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    below,
    of: (share) => next() < share,
    one: <T>(items: readonly T[]): T => {
      if (items.length === 0) throw new Error("there is nothing to choose from")
      return items[below(items.length)] as T
    },
  }
}
