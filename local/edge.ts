import { mkdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build, stop as stopEsbuild } from "esbuild"
import type { MiniflareOptions } from "miniflare"
import { keepRunning } from "./keep-running.ts"
import { endOrphan, startWorkerd, type Workerd } from "./workerd.ts"

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
  /** For people: that it ended by itself, and that it is back. */
  tell?: (line: string) => void
}

export interface RunningEdge {
  url: string
  /** Takes no more requests, lets those under way end within some seconds, and cuts what is left. */
  stop(): Promise<void>
}

const WORKER = fileURLToPath(new URL("../functions/edge/worker.ts", import.meta.url))
/** The newest that the bundled workerd knows. */
const COMPATIBILITY_DATE = "2026-07-30"

/** Runs the Cloudflare Worker under miniflare, and again on the same port when it ends by itself. */
export const startEdge = async (options: EdgeOptions): Promise<RunningEdge> => {
  const scratch = join(options.directory, "scratch")
  const pidFile = join(options.directory, "workerd.pid")
  await endOrphan(pidFile)
  await rm(scratch, { recursive: true, force: true })
  await mkdir(scratch, { recursive: true, mode: 0o700 })
  const script = await bundleWorker()
  const { first, stop } = await keepRunning<Workerd>({
    name: "the edge's Worker",
    meaning: "and nothing is served at its port until it is back",
    start: (before) =>
      startWorkerd({
        worker: workerOf({ ...options, port: before?.port ?? options.port }, script),
        scratch,
        pidFile,
        // The Worker's own lines are JSON; the rest is workerd telling of clients that left.
        onLine: (line) => line.startsWith("{") && options.onLog?.(line),
      }),
    tell: (line) => options.tell?.(line),
  })
  return { url: first.url, stop }
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

const workerOf = (options: EdgeOptions, script: string): MiniflareOptions => ({
  modules: [{ type: "ESModule", path: "worker.mjs", contents: script }],
  host: options.host ?? "127.0.0.1",
  port: options.port,
  compatibilityDate: COMPATIBILITY_DATE,
  bindings: { ...options.bindings },
  durableObjects: { STREAM_HUB: { className: "StreamHub", useSQLite: true } },
  kvNamespaces: ["LAST_KNOWN_GOOD"],
  kvPersist: join(options.directory, "kv"),
  ...(options.cacheDirectory === undefined ? {} : { cachePersist: options.cacheDirectory }),
})
