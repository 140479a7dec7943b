import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { commandOf, isAlive, startOf, waitUntil } from "./processes.ts"

interface Holder {
  pid: number
  start: string | null
}

const readHolder = (path: string): Holder | null => {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Holder
  } catch {
    return null
  }
}

/**
 * Takes the directory for this process, or throws when another living process has it. A process id alone proves
 * nothing, since the system gives them out again; with its start it does.
 */
export const takeDirectory = (directory: string): { giveBack: () => void } => {
  const path = join(directory, "holder.json")
  const holder = readHolder(path)
  const isOurs = holder?.pid === process.pid && holder.start === startOf(process.pid)
  if (holder && !isOurs && isAlive(holder.pid) && startOf(holder.pid) === holder.start)
    throw new Error(
      `${directory} is in use by process ${holder.pid}: stop it, or choose another HOTSWAP_HOME`,
    )
  writeFileSync(path, JSON.stringify({ pid: process.pid, start: startOf(process.pid) } satisfies Holder))
  return { giveBack: () => rmSync(path, { force: true }) }
}

/** What a server says of itself in `postmaster.pid`: line 1 its process id, line 8 its state. */
export const readPostmaster = (data: string): { pid: number; ready: boolean } | null => {
  try {
    const lines = readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")
    const pid = Number(lines[0])
    return pid > 0 ? { pid, ready: lines[7]?.trim() === "ready" } : null
  } catch {
    return null
  }
}

/**
 * Ends a server that an earlier process left behind (its watcher does so within moments; this is for when the
 * watcher was killed too), and removes the mark of one whose process id now belongs to something else.
 */
export const endOrphan = async (data: string): Promise<void> => {
  const orphan = readPostmaster(data)
  if (!orphan || !isAlive(orphan.pid)) return
  if (!commandOf(orphan.pid)?.includes(data)) {
    rmSync(join(data, "postmaster.pid"), { force: true })
    return
  }
  const gone = () => !isAlive(orphan.pid)
  for (const [signal, limitMs] of [
    [null, 500],
    ["SIGINT", 10_000],
    ["SIGQUIT", 10_000],
  ] as const) {
    if (signal) process.kill(orphan.pid, signal)
    if (await waitUntil(gone, limitMs)) return
  }
  throw new Error(`PostgreSQL process ${orphan.pid} of ${data} does not end: end it by hand`)
}
