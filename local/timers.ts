/** A clock whose timers a test can turn by hand. */
export interface TimerClock {
  setTimeout(run: () => void, ms: number): unknown
  clearTimeout(timer: unknown): void
}

export interface Schedule {
  name: string
  /** From the end of one run to the beginning of the next, so runs never overlap. */
  everyMs: number
  run: () => Promise<unknown>
}

export interface RunningSchedules {
  /** Starts no more runs and waits for those under way. */
  stop(): Promise<void>
}

interface ScheduleLog {
  error(message: string, fields: Record<string, unknown>): void
}

const SYSTEM_CLOCK: TimerClock = {
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
}

/** Runs scheduled functions again and again, as EventBridge would. A run that fails is logged; the next comes. */
export const startSchedules = (
  schedules: readonly Schedule[],
  log: ScheduleLog,
  clock: TimerClock = SYSTEM_CLOCK,
): RunningSchedules => {
  const running = schedules.map((schedule) => keepRunning(schedule, log, clock))
  return {
    stop: async () => {
      await Promise.all(running.map((stop) => stop()))
    },
  }
}

const keepRunning = (schedule: Schedule, log: ScheduleLog, clock: TimerClock): (() => Promise<void>) => {
  let stopped = false
  let current: Promise<void> = Promise.resolve()
  let timer: unknown
  const runOnce = async (): Promise<void> => {
    try {
      await schedule.run()
    } catch (error) {
      log.error("a scheduled run failed", { schedule: schedule.name, error })
    }
    if (!stopped) wait()
  }
  const wait = (): void => {
    timer = clock.setTimeout(() => {
      current = runOnce()
    }, schedule.everyMs)
  }
  wait()
  return async () => {
    stopped = true
    clock.clearTimeout(timer)
    await current
  }
}
