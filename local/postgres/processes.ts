import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"

/** Is there a process of that id? One that belongs to somebody else counts, one that only awaits its burial does not. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return statOf(pid)?.[0] !== "Z"
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}

/** The command line of a process, or `null` when it is gone. */
export const commandOf = (pid: number): string | null => {
  try {
    if (process.platform === "linux")
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")
    return execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" })
  } catch {
    return null
  }
}

/** proc(5): the fields of a process from the third on, `null` without /proc. The second may itself hold spaces and brackets. */
const statOf = (pid: number): string[] | null => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  } catch {
    return null
  }
}

/** When a process started, in whatever unit the system has: two processes of one id differ in it. */
export const startOf = (pid: number): string | null => {
  if (process.platform === "linux") return statOf(pid)?.[19] ?? null
  try {
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim()
  } catch {
    return null
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Resolves to whether `condition` came true before `limitMs` were over. */
export const waitUntil = async (condition: () => boolean, limitMs: number): Promise<boolean> => {
  const end = performance.now() + limitMs
  while (!condition()) {
    if (performance.now() > end) return false
    await pause(10)
  }
  return true
}
