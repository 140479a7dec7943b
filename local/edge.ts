import { mkdir, readFile, rm } from "node:fs/promises"
import { createRequire } from "node:module"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import { fileURLToPath } from "node:url"
import { build, stop as stopEsbuild } from "esbuild"
import { Miniflare, type MiniflareOptions } from "miniflare"
import { commandOf, waitUntil } from "./postgres/processes.ts"

export interface EdgeOptions {
  /** Holds the last known good (Workers KV), the process id and scratch files; made when it is not there. */
  directory: string
  /** 0 for any that is free. */
  port: number
  /** 127.0.0.1 unless told otherwise. */
  host?: string
  /** What the Worker is deployed with, all but the KV namespace. */
  bindings: Readonly<Record<string, string>>
  /** Where the Cache API keeps its entries; in memory when left out, so that a start begins with none. */
  cacheDirectory?: string
  /** A line that the Worker logged. */
  onLog?: (line: string) => void
}

export interface RunningEdge {
  url: string
  stop(): Promise<void>
}

const WORKER = fileURLToPath(new URL("../functions/edge/worker.ts", import.meta.url))
const WORKERD_SCRIPT = fileURLToPath(new URL("./workerd.sh", import.meta.url))
/** The newest that the bundled workerd knows. */
const COMPATIBILITY_DATE = "2026-07-30"
const ORPHAN_LIMIT_MS = 5_000

/** Runs the Cloudflare Worker under miniflare. It ends when this process does, however that ends. */
export const startEdge = async (options: EdgeOptions): Promise<RunningEdge> => {
  const { directory } = options
  const scratch = join(directory, "scratch")
  const pidFile = join(directory, "workerd.pid")
  await endOrphan(pidFile)
  await rm(scratch, { recursive: true, force: true })
  await mkdir(scratch, { recursive: true, mode: 0o700 })
  const script = await bundleWorker()
  tieWorkerdToThisProcess(pidFile)
  const miniflare = withoutItsTraces(scratch, () => new Miniflare(miniflareOptions(options, script)))
  try {
    const { origin } = await miniflare.ready
    return {
      url: origin,
      stop: async () => {
        await miniflare.dispose()
        await rm(pidFile, { force: true })
      },
    }
  } catch (error) {
    await miniflare.dispose().catch(() => undefined)
    throw error
  }
}

/** The Worker as one module, as it deploys. */
const bundleWorker = async (): Promise<string> => {
  const result = await build({
    entryPoints: [WORKER],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    logLevel: "silent",
  })
  // Its helper process would stay for as long as this one.
  await stopEsbuild()
  return result.outputFiles[0]!.text
}

const miniflareOptions = (options: EdgeOptions, script: string): MiniflareOptions => ({
  modules: [{ type: "ESModule", path: "worker.mjs", contents: script }],
  host: options.host ?? "127.0.0.1",
  port: options.port,
  compatibilityDate: COMPATIBILITY_DATE,
  // Otherwise it asks Cloudflare for the properties of a request.
  cf: false,
  logRequests: false,
  bindings: { ...options.bindings },
  kvNamespaces: ["LAST_KNOWN_GOOD"],
  kvPersist: join(options.directory, "kv"),
  ...(options.cacheDirectory === undefined ? {} : { cachePersist: options.cacheDirectory }),
  handleRuntimeStdio: (stdout: Readable, stderr: Readable) => {
    for (const stream of [stdout, stderr])
      createInterface({ input: stream }).on("line", (line) => {
        // The Worker's own lines are JSON; the rest is workerd telling of clients that left.
        if (line.startsWith("{")) options.onLog?.(line)
      })
  },
})

/** miniflare ends workerd when asked to, but kill -9 of this process would leave it holding the port. */
const tieWorkerdToThisProcess = (pidFile: string): void => {
  if (process.platform === "win32") return
  // The one that miniflare brings along.
  const ofMiniflare = createRequire(createRequire(import.meta.url).resolve("miniflare"))
  process.env.HOTSWAP_WORKERD ??= (ofMiniflare("workerd") as { default: string }).default
  process.env.HOTSWAP_WORKERD_PID_FILE = pidFile
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

/** Ends a workerd that an earlier process left behind, if its own watcher has not yet. */
const endOrphan = async (pidFile: string): Promise<void> => {
  const pid = Number(await readFile(pidFile, "utf8").catch(() => ""))
  // Of a process that has ended but was not waited for, the id is left and no command.
  const isThere = (): boolean => pid > 1 && commandOf(pid)?.includes("workerd") === true
  if (!isThere()) return
  process.kill(pid, "SIGKILL")
  await waitUntil(() => !isThere(), ORPHAN_LIMIT_MS)
}
