import { type ChildProcess, fork } from "node:child_process"
import { readFileSync } from "node:fs"

/** A server under measurement, in a process of its own so that its CPU can be told from the load's. */
export interface Contender {
  name: string
  url: string
  /** Headers every request of the load carries. */
  headers: Readonly<Record<string, string>>
  /** The processes whose CPU its requests cost: itself, and workerd where there is one. */
  pids: readonly number[]
  stop(): Promise<void>
}

/** What a contender's process tells its parent once it listens. */
export interface Listening {
  url: string
  headers: Readonly<Record<string, string>>
  pids: readonly number[]
}

/** Starts `bench/contenders/{script}` and waits until it listens. */
export const startContender = (
  name: string,
  script: string,
  args: readonly string[] = [],
): Promise<Contender> =>
  new Promise((resolve, reject) => {
    const child = fork(new URL(`./contenders/${script}`, import.meta.url), [...args], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    })
    child.once("error", reject)
    child.once("exit", (code) => reject(new Error(`${name} ended with ${code} before it listened`)))
    child.once("message", (message) => {
      const listening = message as Listening
      child.removeAllListeners("exit")
      resolve({ name, ...listening, stop: () => stop(child) })
    })
  })

const stop = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    child.once("exit", () => resolve())
    child.kill("SIGTERM")
  })

const TICKS_PER_SECOND = 100

/** User and system time of these processes so far, in microseconds; resolution 10 ms. */
export const cpuMicros = (pids: readonly number[]): number =>
  pids.reduce((total, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")
    return total + ((Number(fields[11]) + Number(fields[12])) * 1_000_000) / TICKS_PER_SECOND
  }, 0)

/** Called by a contender once it listens. */
export const listening = (message: Listening): void => {
  process.send!(message)
  process.once("disconnect", () => process.exit(0))
}

/** The processes that `pid` started, and theirs: workerd, where miniflare is used. */
export const descendants = (pid: number): number[] => {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .trim()
    .split(" ")
    .filter(Boolean)
    .map(Number)
  return children.flatMap((child) => [child, ...descendants(child)])
}
