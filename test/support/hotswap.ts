import { type ChildProcess, execFile, spawn } from "node:child_process"
import { randomInt } from "node:crypto"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"

/** Hotswap as a user starts it: the whole of it, in a process of its own. */
export interface RunningHotswap {
  url: string
  originUrl: string
  home: string
  /** Node's own; workerd and PostgreSQL are its descendants. */
  pid: number
  adminToken: string
  /** A call with the admin's token unless told otherwise. */
  call: Call
  /** Ends it the hard way: node alone, or everything it started as well. Resolves once node is gone. */
  kill(what: "node" | "group"): Promise<void>
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>
  output(): string
}

export type Call = <T = Record<string, unknown>>(
  method: string,
  path: string,
  options?: { body?: unknown; token?: string; headers?: Record<string, string>; origin?: boolean },
) => Promise<{ status: number; headers: Headers; body: T }>

const ADMIN_TOKEN = "admin-token-of-a-test-0123456789abcdef"
const START_DEADLINE_MS = 60_000

/** Below what the system gives out by itself, so that nothing started in between is given the same. */
const PORTS = { from: 20_000, to: 32_000 }

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer().once("error", () => resolve(false))
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
  })

/** A port that nobody else of this run is given, also while whoever has it is down. */
export const freePort = async (): Promise<number> => {
  const port = randomInt(PORTS.from, PORTS.to)
  const isOurs = await writeFile(join(tmpdir(), `hotswap-port-${port}`), "", { flag: "wx" }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") return false
      throw error
    },
  )
  return isOurs && (await isFree(port)) ? port : await freePort()
}

/** As it is before the very first start. */
export const emptyHome = (): Promise<string> => mkdtemp(join(tmpdir(), "hotswap-"))

/** With a database that was made and migrated before: making it is most of what a first start takes. */
export const temporaryHome = async (): Promise<string> => {
  const home = await emptyHome()
  await copyCluster(join(home, "postgres"))
  return home
}

/** The run's made and migrated cluster, for a PostgreSQL of a test's own; where there is none, nothing. */
export const copyCluster = async (directory: string): Promise<void> => {
  const made = process.env.HOTSWAP_TEST_CLUSTER
  if (made !== undefined) await promisify(execFile)("cp", ["-Rp", `${made}/.`, directory])
}

/** Starts it on `home` (a new one unless given) and waits until `/ready` answers 200. */
export const startHotswap = async (
  options: { home?: string; ports?: { edge: number; origin: number }; env?: Record<string, string> } = {},
): Promise<RunningHotswap> => {
  const home = options.home ?? (await temporaryHome())
  const edge = options.ports?.edge ?? (await freePort())
  const origin = options.ports?.origin ?? (await freePort())
  const child = spawn(join(process.cwd(), "node_modules/.bin/node"), ["local/main.ts"], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      HOME: home,
      HOTSWAP_HOME: home,
      HOTSWAP_ADMIN_TOKEN: ADMIN_TOKEN,
      PORT: String(edge),
      ORIGIN_PORT: String(origin),
      ...options.env,
    },
  })
  let output = ""
  child.stdout.on("data", (chunk) => {
    output += chunk
  })
  child.stderr.on("data", (chunk) => {
    output += chunk
  })
  const url = `http://127.0.0.1:${edge}`
  try {
    await ready(url, child, () => output)
  } catch (error) {
    if (child.exitCode === null) await end(child, "group")
    throw error
  }
  return {
    url,
    originUrl: `http://127.0.0.1:${origin}`,
    home,
    pid: child.pid!,
    adminToken: ADMIN_TOKEN,
    call: caller(url, `http://127.0.0.1:${origin}`),
    kill: (what) => end(child, what),
    stop: () => terminate(child),
    output: () => output,
  }
}

export const removeHome = (home: string): Promise<void> =>
  rm(home, { recursive: true, force: true, maxRetries: 5 })

const ready = async (url: string, child: ChildProcess, output: () => string): Promise<void> => {
  const deadline = Date.now() + START_DEADLINE_MS
  for (;;) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${output()}`)
    const answer = await fetch(`${url}/ready`, { signal: AbortSignal.timeout(2_000) }).catch(() => null)
    await answer?.body?.cancel()
    if (answer?.status === 200) return
    if (Date.now() > deadline) throw new Error(`not ready in ${START_DEADLINE_MS} ms:\n${output()}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const gone = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once("exit", () => resolve()))

const end = async (child: ChildProcess, what: "node" | "group"): Promise<void> => {
  const left = gone(child)
  if (what === "group") process.kill(-child.pid!, "SIGKILL")
  else child.kill("SIGKILL")
  await left
}

const terminate = async (child: ChildProcess): Promise<number | null> => {
  const left = gone(child)
  child.kill("SIGTERM")
  await left
  return child.exitCode
}

const caller =
  (url: string, originUrl: string): Call =>
  async (method, path, options = {}) => {
    const answer = await fetch((options.origin ? originUrl : url) + path, {
      method,
      headers: { authorization: `Bearer ${options.token ?? ADMIN_TOKEN}`, ...options.headers },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    })
    const text = await answer.text()
    return { status: answer.status, headers: answer.headers, body: text === "" ? null : JSON.parse(text) }
  }
