import type { Log } from "./log.ts"

/** Work that outlives the answer it was started for. */
export interface Background {
  /** Runs on; a failure is logged. */
  waitUntil(task: Promise<unknown>): void
  /** Resolves once nothing is running. Where the runtime freezes after a call, await it before the call ends. */
  settled(): Promise<void>
}

export const createBackground = (log: Log): Background => {
  const running = new Set<Promise<void>>()
  return {
    waitUntil(task) {
      const tracked: Promise<void> = task
        .then(
          () => {},
          (error: unknown) => log.error("background work failed", { error }),
        )
        .finally(() => running.delete(tracked))
      running.add(tracked)
    },
    async settled() {
      while (running.size > 0) await Promise.all(running)
    },
  }
}
