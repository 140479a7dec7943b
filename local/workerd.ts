import { readFile, rm } from "node:fs/promises"
import { createRequire } from "node:module"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import { setTimeout as wait } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { Miniflare, type MiniflareOptions } from "miniflare"
import type { Part } from "./keep-running.ts"
import { commandOf, waitUntil } from "./postgres/processes.ts"

/** A workerd of miniflare's, serving. */
export interface Workerd extends Part {
  url: string
  port: number
}

export interface WorkerdOptions {
  /** What it serves, and where. */
  worker: MiniflareOptions
  /** Where its process id is kept for whoever has to clear it away. */
  pidFile: string
  /** For miniflare's temporary files. */
  scratch: string
  onLine: (line: string) => void
}

const WORKERD_SCRIPT = fileURLToPath(new URL("./workerd.sh", import.meta.url))
const DRAIN_LIMIT_MS = 4_000
const ORPHAN_LIMIT_MS = 5_000

/** It ends when this process does, however that ends. */
export const startWorkerd = async (options: WorkerdOptions): Promise<Workerd> => {
  const { pidFile } = options
  const ended = Promise.withResolvers<void>()
  tieWorkerdToThisProcess()
  const miniflare = withoutItsTraces(
    options.scratch,
    () => new Miniflare(miniflareOptions(options, ended.resolve)),
  )
  try {
    const { origin, port } = await miniflare.ready
    return {
      url: origin,
      port: Number(port),
      exited: ended.promise,
      stop: async () => {
        await drain(pidFile, ended.promise)
        // Miniflare starts one that has ended again by itself, once: only this keeps it from doing so.
        await miniflare.dispose()
        await rm(pidFile, { force: true })
      },
    }
  } catch (error) {
    await miniflare.dispose().catch(() => undefined)
    throw error
  }
}

/** Ends a workerd that an earlier process left behind, if its own watcher has not yet. */
export const endOrphan = async (pidFile: string): Promise<void> => {
  const pid = await runningPid(pidFile)
  if (pid === null) return
  process.kill(pid, "SIGKILL")
  await waitUntil(() => !isWorkerd(pid), ORPHAN_LIMIT_MS)
}

/** Asked to end, workerd takes no more requests and answers those it has. */
const drain = async (pidFile: string, ended: Promise<void>): Promise<void> => {
  const pid = await runningPid(pidFile)
  if (pid === null) return
  process.kill(pid, "SIGTERM")
  const limit = new AbortController()
  const late = wait(DRAIN_LIMIT_MS, undefined, { signal: limit.signal }).catch(() => undefined)
  await Promise.race([ended, late])
  limit.abort()
}

const runningPid = async (pidFile: string): Promise<number | null> => {
  const pid = Number(await readFile(pidFile, "utf8").catch(() => ""))
  return pid > 1 && isWorkerd(pid) ? pid : null
}

/** Of a process that has ended but was not waited for, the id is left and no command. */
const isWorkerd = (pid: number): boolean => commandOf(pid)?.includes("workerd") === true

const miniflareOptions = (
  { worker, pidFile, onLine }: WorkerdOptions,
  onEnded: () => void,
): MiniflareOptions => ({
  ...worker,
  // Otherwise it asks Cloudflare for the properties of a request.
  cf: false,
  logRequests: false,
  unsafeRuntimeEnv: { HOTSWAP_WORKERD_PID_FILE: pidFile },
  handleRuntimeStdio: (stdout: Readable, stderr: Readable) => {
    for (const stream of [stdout, stderr]) createInterface({ input: stream }).on("line", onLine)
    // Disposing of it leaves the streams open; the end of the process closes them.
    stdout.once("end", onEnded)
  },
})

/** miniflare ends workerd when asked to, but kill -9 of this process would leave it holding the port. */
const tieWorkerdToThisProcess = (): void => {
  if (process.platform === "win32") return
  // The one that miniflare brings along.
  const ofMiniflare = createRequire(createRequire(import.meta.url).resolve("miniflare"))
  process.env.HOTSWAP_WORKERD ??= (ofMiniflare("workerd") as { default: string }).default
  process.env.MINIFLARE_WORKERD_PATH = WORKERD_SCRIPT
}

/**
 * miniflare keeps scratch files where the system keeps temporary ones, and on a signal ends the process before
 * anything has drained: neither is wanted here.
 */
const withoutItsTraces = (scratch: string, make: () => Miniflare): Miniflare => {
  const before = process.env.TMPDIR
  const signals = ["SIGINT", "SIGTERM"] as const
  const listeners = signals.map((signal) => new Set(process.listeners(signal)))
  process.env.TMPDIR = scratch
  try {
    return make()
  } finally {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
    signals.forEach((signal, i) => {
      for (const added of process.listeners(signal))
        if (!listeners[i]!.has(added)) process.removeListener(signal, added)
    })
  }
}
