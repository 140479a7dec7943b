import fc from "fast-check"
import { expect } from "vitest"
import { TAKE } from "../../../functions/platform/limit-script.ts"
import type { RedisSender } from "../../../functions/platform/redis-sender.ts"

/** What the script says, with times in microseconds. */
export interface Told {
  fits: boolean
  used: number
  at: number
  /** −1: never. */
  fitsAt: number
  resetAt: number
}

export interface Asked {
  many: number
  taking: boolean
  max: number
  window: number
}

const APART = 10_000

const told = (words: unknown): Told => {
  const [fits, used, at, fitsAt, resetAt] = String(words).split(" ").map(Number) as number[]
  return { fits: fits === 1, used: used!, at: at!, fitsAt: fitsAt!, resetAt: resetAt! }
}

const evaluate = async (
  send: RedisSender,
  script: string,
  key: string,
  { many, taking, max, window }: Asked,
  more: readonly string[] = [],
): Promise<Told> => {
  const args = [String(many), taking ? "1" : "0", String(max), String(window), ...more]
  const [words] = await send([["EVAL", script, "1", key, ...args]])
  return told(words)
}

/** Asks a window by the clock of the Redis it is in. */
export const ask = (send: RedisSender, key: string, asked: Asked): Promise<Told> =>
  evaluate(send, TAKE, key, asked, [String(APART)])

const TIMED = TAKE.replace("redis.call('TIME')", "{ ARGV[8], ARGV[9] }")

/** The same script, to the letter, but for where it takes the time from. */
export const askAt = (
  send: RedisSender,
  key: string,
  asked: Asked,
  at: number,
  apart = APART,
): Promise<Told> => {
  const time = [String(Math.floor(at / 1_000_000)), String(at % 1_000_000)]
  return evaluate(send, TIMED, key, asked, [String(apart), "", "", ...time])
}

/** What a window that slides is: everything that was ever taken, each with its time. */
class Model {
  readonly #taken: { at: number; many: number }[] = []

  ask({ many, taking, max, window }: Asked, at: number): Told {
    const within = (now: number) => this.#taken.filter((one) => one.at > now - window)
    const count = (now: number) => within(now).reduce((sum, one) => sum + one.many, 0)
    const fits = count(at) + many <= max
    const falls = within(at).map((one) => one.at + window)
    const fitsAt = fits ? at : many > max ? -1 : falls.find((then) => count(then) + many <= max)!
    if (fits && taking) this.#taken.push({ at, many })
    return { fits, used: count(at), at, fitsAt, resetAt: (within(at).at(-1)?.at ?? at - window) + window }
  }
}

const steps = fc.array(
  fc.record({
    // Often at the same time, sometimes just at or before the moment at which something falls out.
    after: fc.oneof(
      { weight: 2, arbitrary: fc.constant(0) },
      { weight: 6, arbitrary: fc.integer({ min: 1, max: 15 }) },
      { weight: 1, arbitrary: fc.constantFrom(99, 100, 101, 300) },
    ),
    many: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 12 })),
    taking: fc.boolean(),
    max: fc.oneof({ weight: 6, arbitrary: fc.constant(8) }, fc.integer({ min: 0, max: 12 })),
  }),
  { minLength: 1, maxLength: 60 },
)
const WINDOW = 100

/** Any sequence of takings and questions, at any times, under limits that alter, says what the model says. */
export const agreesWithModel = async (
  send: RedisSender,
  { runs, seed }: { runs: number; seed: number },
): Promise<void> => {
  let serial = 0
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      const key = `hotswap:{model}:${seed}:${++serial}`
      const model = new Model()
      let at = 1_700_000_000_000_000
      for (const { after, ...asked } of sequence) {
        at += after
        const one = { ...asked, window: WINDOW }
        // A window of a millionth of a second less would expire; Redis's own clock has no say in this one.
        expect(await askAt(send, key, one, at), JSON.stringify(sequence)).toEqual(model.ask(one, at))
      }
    }),
    { numRuns: runs, seed },
  )
}

export const CALLERS = 64

/**
 * So many rounds: 64 callers at once want some of one window, which goes on sliding from round to round. Afterwards every
 * answer is held to what was taken in the window before it.
 */
export const crowds = async (
  sendOf: (caller: number) => RedisSender,
  { rounds, seed }: { rounds: number; seed: number },
): Promise<{ allowed: number; refused: number }> => {
  const numbers = fc.sample(fc.nat(1_000_000), { numRuns: rounds, seed })
  const tally = { allowed: 0, refused: 0 }
  // A hundred rounds share one limit; then another begins.
  for (let from = 0; from < rounds; from += 100) {
    const number = numbers[from]!
    const max = 1 + (number % 200)
    const window = 20_000 + (number % 7) * 30_000
    const key = `hotswap:{crowd}:${seed}:${from}`
    const answers: { asked: number; told: Told }[] = []
    for (const round of numbers.slice(from, from + 100)) {
      const one = await Promise.all(
        Array.from({ length: CALLERS }, async (_, caller) => {
          const many = (round + caller) % 5 === 0 ? 1 + (round % 4) : 1
          return { asked: many, told: await ask(sendOf(caller), key, { many, taking: true, max, window }) }
        }),
      )
      answers.push(...one)
    }
    hold(answers, max, window)
    for (const { told } of answers) tally[told.fits ? "allowed" : "refused"]++
  }
  return tally
}

/** Never one too many, and never one too few. Of answers at the same microsecond, some order explains them all. */
const hold = (answers: readonly { asked: number; told: Told }[], max: number, window: number): void => {
  const taken = answers.filter(({ told }) => told.fits).sort((a, b) => a.told.at - b.told.at)
  const sums = [0]
  for (const { asked } of taken) sums.push(sums.at(-1)! + asked)
  const times = taken.map(({ told }) => told.at)
  /** How many were taken at or before a time, or just before it. */
  const until = (at: number, inclusive: boolean): number => sums[rankOf(times, at, inclusive)]!
  for (const { asked, told } of answers) {
    const gone = until(told.at - window, true)
    if (told.fits) {
      expect(until(told.at, true) - gone, "never one too many").toBeLessThanOrEqual(max)
      continue
    }
    expect(told.used + asked, "never one too few").toBeGreaterThan(max)
    expect(told.used).toBeLessThanOrEqual(until(told.at, true) - gone)
    expect(told.used).toBeGreaterThanOrEqual(until(told.at, false) - gone)
  }
}

/** How many of the sorted numbers are below one, or at most it. */
const rankOf = (sorted: readonly number[], number: number, inclusive: boolean): number => {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const isBelow = inclusive ? sorted[middle]! <= number : sorted[middle]! < number
    if (isBelow) low = middle + 1
    else high = middle
  }
  return low
}
