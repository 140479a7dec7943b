import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { delimiter, join, resolve } from "node:path"
import { setTimeout as wait } from "node:timers/promises"
import { freePort } from "./hotswap.ts"

const BINARY = "victoria-metrics"
const START_DEADLINE_MS = 30_000

const binary = (): string | null =>
  (process.env.PATH ?? "")
    .split(delimiter)
    .map((directory) => join(directory, BINARY))
    .find((path) => existsSync(path)) ?? null

/** Is there a VictoriaMetrics? Where everything has to be tested, its absence is a failure. */
export const hasVictoriaMetrics = (): boolean => {
  if (binary() !== null) return true
  if (process.env.CI === "true")
    throw new Error(`${BINARY} is not installed, and nothing may be left out here`)
  return false
}

export interface RunningVictoriaMetrics {
  url: string
  /** As if its machine went away. */
  kill(): Promise<void>
}

/** A real one, with nothing in it, on a port of its own. */
export const startVictoriaMetrics = async (
  port?: number,
  pathPrefix = "",
): Promise<RunningVictoriaMetrics> => {
  const directory = await mkdtemp(join(tmpdir(), "hotswap-vm-"))
  const address = `127.0.0.1:${port ?? (await freePort())}`
  const child = spawn(
    resolve("local/with-parent.sh"),
    [
      binary()!,
      `-storageDataPath=${directory}`,
      `-httpListenAddr=${address}`,
      "-memory.allowedBytes=64MB",
      "-search.latencyOffset=0s",
      "-loggerLevel=ERROR",
      `-http.pathPrefix=${pathPrefix}`,
    ],
    { stdio: "ignore" },
  )
  const gone = new Promise<void>((done) => child.once("exit", () => done()))
  const url = `http://${address}${pathPrefix}`
  const deadline = Date.now() + START_DEADLINE_MS
  while (!(await isReady(url))) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`${BINARY} did not start`)
    await wait(20)
  }
  return {
    url,
    kill: async () => {
      child.kill("SIGTERM")
      await gone
      await rm(directory, { recursive: true, force: true })
    },
  }
}

const isReady = async (url: string): Promise<boolean> =>
  await fetch(`${url}/health`).then(
    ({ ok }) => ok,
    () => false,
  )
