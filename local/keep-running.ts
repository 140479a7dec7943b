import { setTimeout as wait } from "node:timers/promises"

/** What runs in a process of its own, and may end without having been asked to. */
export interface Part {
  /** Resolves when it has ended, whoever ended it. */
  exited: Promise<void>
  /** Ends it, or clears away what is left of one that has ended. */
  stop(): Promise<void>
}

export interface KeepOptions<Kept extends Part> {
  /** As the lines begin that are told. */
  name: string
  /** What its end means, and where to look. */
  meaning: string
  /** `before` is the one that has ended: the next has to take its place. */
  start(before: Kept | null): Promise<Kept>
  tell(line: string): void
  pause?: (ms: number, signal: AbortSignal) => Promise<unknown>
}

/** The first of a row of parts, of which each takes the place of the one before. */
export interface KeptRunning<Kept extends Part> {
  first: Kept
  stop(): Promise<void>
}

const SHORTEST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000

/**
 * Starts a part, and starts it again whenever it ends: at once, then after pauses that double, while it does not
 * stay. Throws what the first start throws; after that it is told, and tried as often as it takes.
 */
export const keepRunning = async <Kept extends Part>(
  options: KeepOptions<Kept>,
): Promise<KeptRunning<Kept>> => {
  const first = await options.start(null)
  const stopping = new AbortController()
  const kept = keep(options, first, stopping.signal)
  return {
    first,
    stop: async () => {
      stopping.abort()
      await kept
    },
  }
}

const keep = async <Kept extends Part>(
  options: KeepOptions<Kept>,
  first: Kept,
  stopping: AbortSignal,
): Promise<void> => {
  const { name, meaning, tell } = options
  const stopAsked = aborted(stopping)
  let part = first
  let pauseMs = 0
  for (;;) {
    const startedAtMs = performance.now()
    await Promise.race([part.exited, stopAsked])
    await part.stop().catch((error: unknown) => tell(`${name} did not stop as it should: ${reasonOf(error)}`))
    if (stopping.aborted) return
    tell(`${name} has ended, ${meaning}`)
    if (performance.now() - startedAtMs > LONGEST_PAUSE_MS) pauseMs = 0
    const next = await startAgain(options, part, pauseMs, stopping)
    if (next === null) return
    part = next
    pauseMs = longer(pauseMs)
    tell(`${name} is back`)
  }
}

/** `null` when it is not wanted any more. */
const startAgain = async <Kept extends Part>(
  { name, start, tell, pause = waitUnless }: KeepOptions<Kept>,
  before: Kept,
  firstPauseMs: number,
  stopping: AbortSignal,
): Promise<Kept | null> => {
  for (let pauseMs = firstPauseMs; ; pauseMs = longer(pauseMs)) {
    if (pauseMs > 0) await pause(pauseMs, stopping)
    if (stopping.aborted) return null
    try {
      return await start(before)
    } catch (error) {
      tell(`${name} does not start again: ${reasonOf(error)}`)
    }
  }
}

const longer = (pauseMs: number): number =>
  Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, 2 * pauseMs))

const waitUnless = (ms: number, signal: AbortSignal): Promise<unknown> =>
  wait(ms, undefined, { signal }).catch(() => undefined)

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }))

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
