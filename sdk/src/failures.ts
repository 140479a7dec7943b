/** An answer that is none to serve from. */
export class HotswapError extends Error {
  override readonly name = "HotswapError"
  /** Of HTTP. */
  readonly status: number
  /** When the service wants to be asked again; 0: it does not say. */
  readonly retryAfterMs: number

  constructor(status: number, retryAfter: string | null) {
    super(`The service answered ${status}.`)
    this.status = status
    // Seconds, or a date (RFC 9110, section 10.2.3).
    this.retryAfterMs = Math.max(
      0,
      Number(retryAfter) * 1_000 || Date.parse(retryAfter ?? "") - Date.now() || 0,
    )
  }
}

/** Will asking again not help until somebody does something about it? */
export const isFinal = (error: unknown): boolean =>
  error instanceof HotswapError && error.status < 500 && error.status !== 408 && error.status !== 429

const FIRST_MS = 500
const LONGEST_MS = 30_000
const FINAL_MS = 60_000
const RETRY_AFTER_MAX_MS = 300_000

/** How long to wait after so many failures in a row: exponentially longer, with full jitter. */
export const pauseAfter = (failures: number, error?: unknown): number => {
  const asked = error instanceof HotswapError ? Math.min(error.retryAfterMs, RETRY_AFTER_MAX_MS) : 0
  if (isFinal(error)) return FINAL_MS * (0.5 + Math.random() / 2) + asked
  return asked + Math.random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** failures)
}
