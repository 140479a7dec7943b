import { appendFileSync } from "node:fs"

// Loaded into a process whose answers are timed, on a machine that has other things to do: writes down when that process
// was not run although it wanted to be, so that nobody is blamed for it. What it computed itself does not count.

/** From when on, in milliseconds since 1970, and for how long. */
export interface Standstill {
  fromMs: number
  ms: number
}

const EVERY_MS = 10
const NOTED_MS = 40

const nowMs = (): number => performance.timeOrigin + performance.now()

/** Tells of each time that this process stood still without computing anything; returns how to stop watching. */
export const watchStandstills = (tell: (one: Standstill) => void): (() => void) => {
  let lastMs = nowMs()
  let used = process.cpuUsage()
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage(used)
    const ms = nowMs() - lastMs - EVERY_MS - (user + system) / 1_000
    if (ms > NOTED_MS) tell({ fromMs: lastMs, ms })
    lastMs = nowMs()
    used = process.cpuUsage()
  }, EVERY_MS)
  timer.unref()
  return () => clearInterval(timer)
}

const file = process.env.HOTSWAP_TEST_STANDSTILLS
if (file) watchStandstills((one) => appendFileSync(file, `${JSON.stringify(one)}\n`))
