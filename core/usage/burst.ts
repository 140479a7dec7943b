/** How refusals came lately, of one tenant. */
export interface Refusals {
  /** When the window began that is counted now. */
  windowAtMs: number
  refused: number
  /** This burst has been told of. */
  isTold: boolean
}

const WINDOW_MS = 60_000
/** So many within a window are a burst. */
export const BURST = 20

/**
 * Counts `many` more. `alert`: that makes a burst, which is told of once, however long it goes on; it is over when a window was
 * none.
 */
export const countRefusals = (
  before: Refusals | null,
  many: number,
  nowMs: number,
): { refusals: Refusals; alert: boolean } => {
  const ageMs = before === null ? Number.POSITIVE_INFINITY : nowMs - before.windowAtMs
  const isSame = before !== null && ageMs < WINDOW_MS
  const goesOn = before !== null && ageMs < 2 * WINDOW_MS && before.refused >= BURST
  const refused = (isSame ? before.refused : 0) + many
  const wasTold = (before?.isTold ?? false) && (isSame || goesOn)
  const alert = refused >= BURST && !wasTold
  const windowAtMs = isSame ? before.windowAtMs : nowMs
  return { refusals: { windowAtMs, refused, isTold: wasTold || alert }, alert }
}
