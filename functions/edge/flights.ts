import type { RequestLife } from "./runtime.ts"

/** What a wait ends with when it took too long; what was waited for goes on. */
export const LATE = Symbol("late")

/** Waits at most so long. The wait's own timer also tells workerd that this request is not hung. */
export const waitFor = async <T>(promise: Promise<T>, deadlineMs: number): Promise<T | typeof LATE> => {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(resolve, deadlineMs, LATE)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

interface Flight<T> {
  landing: Promise<T>
  startedAtMs: number
}

/**
 * One attempt at a time for each key, shared by every request of the isolate.
 *
 * workerd ends a request's I/O with the request, so the attempt runs under the `waitUntil` of whoever
 * began it and outlives its client. The others await the same promise, each under a timer of its own;
 * it must therefore settle with plain data, never with a response or stream, and never reject.
 */
export class Flights<T> {
  readonly #flights = new Map<string, Flight<T>>()
  readonly #lostAfterMs: number

  constructor(lostAfterMs: number) {
    this.#lostAfterMs = lostAfterMs
  }

  /** Joins the attempt that is under way, or begins one. */
  async join(key: string, life: RequestLife, attempt: () => Promise<T>): Promise<T> {
    const current = this.#flights.get(key)
    const leftMs = current ? current.startedAtMs + this.#lostAfterMs - Date.now() : 0
    if (!current || leftMs <= 0) return await this.#begin(key, life, attempt)
    const landed = await waitFor(current.landing, leftMs)
    // A runtime may drop a request with all it began: without this its flight would block the key for ever.
    return landed === LATE ? await this.join(key, life, attempt) : landed
  }

  #begin(key: string, life: RequestLife, attempt: () => Promise<T>): Promise<T> {
    const flight: Flight<T> = { landing: Promise.resolve().then(attempt), startedAtMs: Date.now() }
    const landed = () => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key)
    }
    this.#flights.set(key, flight)
    life.waitUntil(flight.landing.then(landed, landed))
    return flight.landing
  }

  isUnderWay(key: string): boolean {
    const current = this.#flights.get(key)
    return current !== undefined && Date.now() - current.startedAtMs < this.#lostAfterMs
  }
}
