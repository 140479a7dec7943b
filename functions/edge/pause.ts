/** Waits, unless one of these is over before. */
export const pause = (ms: number, ...over: readonly AbortSignal[]): Promise<void> =>
  new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      // A stream waits a thousand times on one signal.
      for (const signal of over) signal.removeEventListener("abort", end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    for (const signal of over) signal.addEventListener("abort", end)
    if (over.some((signal) => signal.aborted)) end()
  })

/** So long after a move was told its documents are written for others: by then those who listen have it. */
export const SHARED_AFTER_MS = 100

/** How long to wait after so many failures in a row: doubling from `firstMs`, and never together with others. */
export const backoffMs = (failures: number, firstMs: number, longestMs: number): number =>
  Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 20)) * (0.5 + Math.random() / 2)
