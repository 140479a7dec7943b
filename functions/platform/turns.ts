/**
 * Lets what is done about one key go one after another, first come first served. A courtesy, no lock: who has waited
 * for `limitMs` goes ahead all the same.
 */
export const createTurns = (limitMs: number) => {
  const last = new Map<string, Promise<void>>()
  return async <Result>(key: string, work: () => Promise<Result>): Promise<Result> => {
    const before = last.get(key)
    const { promise: turn, resolve: end } = Promise.withResolvers<void>()
    last.set(key, turn)
    try {
      if (before !== undefined) await within(limitMs, before)
      return await work()
    } finally {
      if (last.get(key) === turn) last.delete(key)
      end()
    }
  }
}

const within = async (limitMs: number, waited: Promise<void>): Promise<void> => {
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, limitMs)
  await Promise.race([waited, late])
  clearTimeout(timer)
}
