const FIRST_MS = 5_000
const LONGEST_MS = 21_600_000
/** From the first wait to the longest in as many steps as there are between twelve attempts. */
const GROWTH = 2.31
const JITTER = 0.25

export const ATTEMPTS_MAX = 12

/**
 * How long to wait after so many attempts, of which the first is 1: about 5 seconds, then longer and longer, 6 hours at
 * the most. `chance`, from 0 to 1, spreads it by a quarter either way, so that what failed together does not come
 * together again.
 */
export const backoffMs = (attempts: number, chance: number): number => {
  const plain = Math.min(FIRST_MS * GROWTH ** (attempts - 1), LONGEST_MS)
  return Math.min(Math.round(plain * (1 - JITTER + 2 * JITTER * chance)), LONGEST_MS)
}
