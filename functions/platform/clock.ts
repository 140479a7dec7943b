/** Where the time comes from. Tests hand in one they move by hand. */
export interface Clock {
  /** Milliseconds since the epoch. */
  nowMs(): number
  now(): Date
}

export const systemClock: Clock = { nowMs: () => Date.now(), now: () => new Date() }
