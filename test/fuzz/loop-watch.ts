import { monitorEventLoopDelay, PerformanceObserver, performance } from "node:perf_hooks"

/** A time in which the event loop did not turn. */
export interface Stall {
  atMs: number
  wallMs: number
  /** Of it, on the processor: the rest was other processes' turn, which no code of ours can shorten. */
  cpuMs: number
  /** Of it, in the main thread's garbage collection. */
  gcMs: number
  /** What was being answered meanwhile. */
  during: readonly string[]
}

export interface LoopReport {
  turns: number
  /** The longest time between two turns that was ours: on the processor. */
  longestCpuMs: number
  longestGcMs: number
  longestWallMs: number
  /** As node measures it, by the wall clock. */
  delayP99Ms: number
  delayMaxMs: number
  stalls: readonly Stall[]
}

export interface LoopWatch {
  /** Notes what is answered while it lasts. */
  during<T>(what: string, work: () => Promise<T>): Promise<T>
  readonly active: number
  report(): LoopReport
  /** The longest turn since this was asked last. */
  longestSince(): number
}

const TICK_MS = 5
const KEPT_MAX = 200
const NANO = 1e6

/** Watches this thread's event loop: each turn that is late is told with what ran, and whose time it was. */
export const watchLoop = (limitMs: number, tell: (stall: Stall) => void): LoopWatch => {
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  const pauses: { from: number; until: number }[] = []
  const seen = new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries())
      pauses.push({ from: startTime, until: startTime + duration })
    if (pauses.length > KEPT_MAX) pauses.splice(0, pauses.length - KEPT_MAX)
  })
  seen.observe({ entryTypes: ["gc"] })
  const active = new Map<number, string>()
  const ended: string[] = []
  const stalls: Stall[] = []
  const report = { turns: 0, longestCpuMs: 0, longestGcMs: 0, longestWallMs: 0 }
  let numbers = 0
  let longest = 0
  let last = performance.now()
  let lastCpu = process.threadCpuUsage()

  const turn = (): void => {
    const now = performance.now()
    const cpu = process.threadCpuUsage()
    const wallMs = now - last
    const cpuMs = Math.min(wallMs, (cpu.user + cpu.system - lastCpu.user - lastCpu.system) / 1_000)
    const from = last
    const during = [...active.values(), ...ended.splice(0)]
    last = now
    lastCpu = cpu
    report.turns++
    report.longestWallMs = Math.max(report.longestWallMs, wallMs)
    report.longestCpuMs = Math.max(report.longestCpuMs, cpuMs)
    longest = Math.max(longest, cpuMs)
    if (wallMs <= limitMs) return
    // The observer hears of a pause a moment after it.
    setTimeout(() => {
      const gcMs = pauses.reduce(
        (sum, pause) => sum + Math.max(0, Math.min(now, pause.until) - Math.max(from, pause.from)),
        0,
      )
      report.longestGcMs = Math.max(report.longestGcMs, gcMs)
      const stall = { atMs: from, wallMs, cpuMs, gcMs, during: [...new Set(during)] }
      if (stalls.length < KEPT_MAX) stalls.push(stall)
      tell(stall)
    }, 1)
  }
  setInterval(turn, TICK_MS).unref()

  return {
    during: async (what, work) => {
      const number = ++numbers
      active.set(number, what)
      try {
        return await work()
      } finally {
        active.delete(number)
        ended.push(what)
      }
    },
    get active() {
      return active.size
    },
    report: () => ({
      ...report,
      delayP99Ms: delay.percentile(99) / NANO,
      delayMaxMs: delay.max / NANO,
      stalls,
    }),
    longestSince: () => {
      const since = longest
      longest = 0
      return since
    },
  }
}
