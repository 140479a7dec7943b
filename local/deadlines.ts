/** Something that has to be done by a time. */
export interface Deadline {
  readonly atMs: number
  readonly expire: () => void
}

/** Many deadlines watched by one timer: a timer for each costs more than the answers that are kept in memory. */
export interface Deadlines {
  watch(deadline: Deadline): void
  forget(deadline: Deadline): void
  /** Watches no more. */
  stop(): void
}

/** How late a deadline may be noticed. */
const EVERY_MS = 50

export const createDeadlines = (): Deadlines => {
  const watched = new Set<Deadline>()
  const timer = setInterval(() => {
    if (watched.size === 0) return
    const now = Date.now()
    for (const deadline of watched) {
      if (deadline.atMs > now) continue
      watched.delete(deadline)
      deadline.expire()
    }
  }, EVERY_MS)
  timer.unref()
  return {
    watch: (deadline) => void watched.add(deadline),
    forget: (deadline) => void watched.delete(deadline),
    stop: () => clearInterval(timer),
  }
}
