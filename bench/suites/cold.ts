import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, readdir, rm, stat } from "node:fs/promises"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { eventOf } from "../../test/support/function-events.ts"
import { type DeployedFunction, synthesise } from "../../test/support/lambda/assets.ts"
import { startLambda } from "../../test/support/lambda/lambda.ts"
import { sampleSettings } from "../../test/support/lambda/settings.ts"
import { median, quantile, round } from "../statistics.ts"
import type { Report, Suite } from "./suite.ts"

const ROUNDS = 15
const TIMEOUT_MS = 30_000
const BARE = fileURLToPath(new URL("../contenders/bare-http.mjs", import.meta.url))

/** What is asked of a function, and how much longer than the bare server it may take; `null`: that is only told. */
interface Asked {
  name: string
  event: unknown
  goal: number | null
  words?: string
}

/** What each function answers without its neighbours. */
const ASKED: readonly Asked[] = [
  { name: "read", event: eventOf("GET", "/health"), goal: 1.25 },
  { name: "manage", event: eventOf("GET", "/health"), goal: 2 },
  // Refused without a neighbour, but by what judges requests: the first answer that a person gets waits for that too.
  { name: "manage", event: eventOf("GET", "/api/v1/tenants"), goal: null, words: "the first about tenants" },
  { name: "manage", event: eventOf("GET", "/api/v1/configs"), goal: null, words: "the first about configs" },
  { name: "outcomes", event: eventOf("GET", "/api/v1/outcomes"), goal: 2 },
  { name: "router", event: eventOf("GET", "/api/v1/route/metrics/api/v1/query"), goal: 2 },
  // What has no URL and fails without its neighbours would open its source map to tell where.
  { name: "advance", event: null, goal: 2 },
  { name: "backup", event: null, goal: 2 },
  { name: "relay", event: null, goal: 2 },
  { name: "notify", event: null, goal: 2 },
]

const bareFirstByteMs = async (): Promise<number> => {
  const startedMs = performance.now()
  const child = spawn(process.execPath, [BARE], { stdio: ["ignore", "pipe", "inherit"] })
  try {
    const [told] = (await once(child.stdout, "data")) as [Buffer]
    const asked = request({ host: "127.0.0.1", port: Number(told.toString()) }).end()
    const [answer] = (await once(asked, "response")) as [NodeJS.ReadableStream]
    await once(answer, "data")
    return performance.now() - startedMs
  } finally {
    child.kill("SIGKILL")
    await once(child, "exit")
  }
}

/** From the start of the process to the first byte; of what only a schedule calls, to the question for its first event. */
const coldMs = async ({ root, variables }: DeployedFunction, event: unknown): Promise<number> => {
  const environment = sampleSettings(variables)
  const lambda = await startLambda({ root, environment, timeoutMs: TIMEOUT_MS, node: process.execPath })
  try {
    const startedMs = performance.now()
    if (event === null) {
      void lambda.invoke({})
      while (lambda.initMs() === null) await new Promise((resolve) => setTimeout(resolve, 1))
      return lambda.initMs()!
    }
    const invoked = await lambda.invoke(event)
    return "firstByteMs" in invoked ? invoked.firstByteMs : performance.now() - startedMs
  } finally {
    await lambda.stop()
  }
}

const kilobytesOf = async (root: string): Promise<number> => {
  const files = await readdir(root, { recursive: true, withFileTypes: true })
  const sizes = files
    .filter((file) => file.isFile() && !file.name.endsWith(".map"))
    .map(async (file) => (await stat(join(file.parentPath, file.name))).size)
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0) / 1_024
}

const compare = async (functions: ReadonlyMap<string, DeployedFunction>, report: Report): Promise<void> => {
  const found = ASKED.map((asked) => {
    const [, deployed] = [...functions].find(([id]) => id.toLowerCase().startsWith(asked.name)) ?? []
    return { ...asked, deployed: deployed!, timesMs: [] as number[] }
  })
  const bareMs: number[] = []
  // By turns: what else the machine does meets all of them.
  for (let nth = 0; nth < ROUNDS; nth++) {
    bareMs.push(await bareFirstByteMs())
    for (const { deployed, event, timesMs } of found) timesMs.push(await coldMs(deployed, event))
  }
  for (const { name, deployed, timesMs, goal, words = "the first byte" } of found) {
    const ratio = round(median(timesMs) / median(bareMs))
    report.figure({
      suite: "cold",
      name: `${name}: from nothing to ${words}`,
      values: {
        p50Ms: round(median(timesMs), 0),
        p95Ms: round(quantile(timesMs, 0.95), 0),
        bareP50Ms: round(median(bareMs), 0),
        ratio,
        assetKb: round(await kilobytesOf(deployed.root), 0),
      },
      ...(goal === null
        ? {}
        : { goal: { text: `≤ ${goal} × a bare node:http process`, met: ratio <= goal } }),
    })
  }
}

/** Each function's asset out of the synthesised deployment, started as Lambda starts it. */
export const cold: Suite = {
  name: "cold",
  run: async (report) => {
    const outdir = await mkdtemp(join(tmpdir(), "hotswap-cold-"))
    try {
      await compare(synthesise(outdir), report)
    } finally {
      await rm(outdir, { recursive: true, force: true })
    }
  },
}
