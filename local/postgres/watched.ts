import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import type { RunAs } from "./run-as.ts"

/**
 * Runs a command and ends it at once when standard input closes, which the system does for us even when node is
 * killed with -9. A shell, because whoever kills every node process must not kill the watcher as well.
 * The first line of output is the command's process id (`unshare` executes in place, so it is the server's own).
 */
const WATCHER = `
exec 3<&0
"$@" </dev/null >&2 3<&- &
server=$!
echo "$server"
{ read -r _ <&3; kill -QUIT "$server"; } 2>/dev/null >/dev/null &
watcher=$!
exec 3<&-
wait "$server"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
`

/** A server that cannot outlive this process. */
export interface Watched {
  pid: number
  /** Resolves when the server has ended, whoever ended it. */
  exited: Promise<void>
  hasExited: () => boolean
  /** Ends it at once, without a clean-up. */
  release: () => void
}

/** Starts `command` under the watcher, in a session of its own so that Ctrl-C reaches only us. */
export const startWatched = async (
  command: readonly string[],
  options: { as: RunAs; log: number; env: NodeJS.ProcessEnv; cwd: string },
): Promise<Watched> => {
  const child = spawn("/bin/sh", ["-c", WATCHER, "hotswap-watcher", ...options.as.prefix, ...command], {
    stdio: ["pipe", "pipe", options.log],
    detached: true,
    env: options.env,
    cwd: options.cwd,
    ...(options.as.uid === null ? {} : { uid: options.as.uid, gid: options.as.uid }),
  })
  let ended = false
  const exited = once(child, "exit").then(() => {
    ended = true
  })
  const pid = Number(await firstLine(child))
  letGo(child)
  return { pid, exited, hasExited: () => ended, release: () => child.stdin?.destroy() }
}

const firstLine = async (child: ChildProcess): Promise<string> => {
  const lines = createInterface({ input: child.stdout! })
  for await (const line of lines) return line
  throw new Error("the watcher ended before it started the server")
}

/** Nothing here may keep node running: a process that forgets to stop its server takes it along when it ends. */
const letGo = (child: ChildProcess) => {
  child.stdout?.destroy()
  child.unref()
  ;(child.stdin as unknown as { unref(): void }).unref()
}
