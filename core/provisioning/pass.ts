/**
 * One time through all that a backend holds, window by window from the newest to the oldest: each window is compared, and
 * what is missing at the other backend brought over. Whatever is taken up again is compared again first.
 */
export interface Pass {
  /** 1 for the first since it began. */
  nth: number
  startedAtMs: number
  sinceMs: number
  /** Everything from here on is done. */
  cursorMs: number
  windowMs: number
  /** What was missing in this pass and should have been there already. */
  late: number
  /** What was missing in this pass. */
  missing: number
  /** Newer than this it may still have been on its way when the pass before began. `null`: there was none. */
  settledMs: number | null
  compared: { windows: number; samples: number }
}

/** Backends take samples of times to come, up to two days. */
const AHEAD_MS = 2 * 86_400_000 + 3_600_000
const WINDOW_FIRST_MS = 3_600_000
const WINDOW_MAX_MS = 31 * 86_400_000
export const WINDOW_MIN_MS = 1_000
/** Of clients that keep what they could not send. */
const LATE_MS = 10 * 60_000

export const startPass = (sinceMs: number, nowMs: number, last?: Pass): Pass => ({
  nth: (last?.nth ?? 0) + 1,
  startedAtMs: nowMs,
  sinceMs,
  cursorMs: nowMs + AHEAD_MS,
  windowMs: WINDOW_FIRST_MS,
  late: 0,
  missing: 0,
  settledMs: last ? last.startedAtMs - LATE_MS : null,
  compared: { windows: 0, samples: 0 },
})

/** Of both ends, in milliseconds since 1970. */
export interface Window {
  fromMs: number
  toMs: number
}

/** The next one to look at; `null`: it is through. */
export const windowOf = ({ cursorMs, sinceMs, windowMs }: Pass): Window | null =>
  cursorMs <= sinceMs ? null : { fromMs: Math.max(sinceMs, cursorMs - windowMs), toMs: cursorMs - 1 }

/** What came of looking at a window. */
export interface Compared {
  samples: number
  /** Of each sample that was missing, its time. */
  missingMs: readonly number[]
  /** Of what may be read of a window, how much it was: from 0 to 1. */
  share: number
}

const FULL = 0.5
const EMPTY = 0.1

/** It, with the next window compared. Windows become wider where there is little in them. */
export const comparedWindow = (pass: Pass, window: Window, { samples, missingMs, share }: Compared): Pass => {
  const { settledMs, windowMs } = pass
  const late = missingMs.filter((ms) => settledMs === null || ms <= settledMs).length
  const wider = share < EMPTY ? 4 : share < FULL ? 1.5 : 1
  return {
    ...pass,
    cursorMs: window.fromMs,
    windowMs: Math.min(WINDOW_MAX_MS, Math.round(windowMs * wider)),
    late: pass.late + late,
    missing: pass.missing + missingMs.length,
    compared: { windows: pass.compared.windows + 1, samples: pass.compared.samples + samples },
  }
}

/** It, with a smaller window, as there is too much in this one; `null`: it is as small as it may be. */
export const narrowed = (pass: Pass): Pass | null =>
  pass.windowMs <= WINDOW_MIN_MS
    ? null
    : { ...pass, windowMs: Math.max(WINDOW_MIN_MS, Math.floor(pass.windowMs / 4)) }

/** How much of the time it is to go through is done, from 0 to 1. */
export const shareOf = ({ startedAtMs, sinceMs, cursorMs }: Pass): number => {
  const allMs = startedAtMs + AHEAD_MS - sinceMs
  return Math.min(1, Math.max(0, (startedAtMs + AHEAD_MS - cursorMs) / allMs))
}
