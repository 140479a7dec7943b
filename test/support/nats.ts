import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as wait } from "node:timers/promises"

const BINARY = "nats-server"
const START_DEADLINE_MS = 20_000

const binary = (): string | null => {
  const inPlace = `/usr/sbin/${BINARY}`
  if (existsSync(inPlace)) return inPlace
  try {
    execFileSync(BINARY, ["--version"], { stdio: "ignore" })
    return BINARY
  } catch {
    return null
  }
}

/** Is there a `nats-server`? Where everything has to be tested, its absence is a failure. */
export const hasNats = (): boolean => {
  if (binary() !== null) return true
  if (process.env.CI === "true")
    throw new Error(`${BINARY} is not installed, and nothing may be left out here`)
  return false
}

export interface RunningNats {
  url: string
  stop(): Promise<void>
}

/** A server with JetStream of its own, on a port of its own. */
export const startNats = async (): Promise<RunningNats> => {
  const home = await mkdtemp(join(tmpdir(), "hotswap-nats-"))
  const child = spawn(
    binary()!,
    ["-js", "-sd", join(home, "store"), "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", home],
    { stdio: "ignore" },
  )
  const file = join(home, `${BINARY}_${child.pid}.ports`)
  const deadline = Date.now() + START_DEADLINE_MS
  for (;;) {
    const [url] = await readFile(file, "utf8").then(
      (text) => (JSON.parse(text || "{}") as { nats?: string[] }).nats ?? [],
      () => [],
    )
    if (url)
      return {
        url,
        stop: async () => {
          const gone = once(child, "exit")
          child.kill("SIGKILL")
          await gone
          await rm(home, { recursive: true, force: true })
        },
      }
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`${BINARY} did not start`)
    await wait(20)
  }
}
