import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { Redis } from "ioredis"
import { HotswapClient } from "../../sdk/src/index.ts"
import {
  freePort,
  type RunningHotswap,
  removeHome,
  startHotswap,
  temporaryHome,
} from "../../test/support/hotswap.ts"
import { redisServerBinary } from "../../test/support/redis.ts"
import { type Contender, startContender } from "../processes.ts"
import { median, pairedRatio, quantile, round } from "../statistics.ts"
import type { Report, Suite } from "./suite.ts"

const ENVIRONMENT = "Development"
const TENANT = "acme-corp"
const KEY = "feature.reloaded"
const CLIENTS = 100
const UPDATES = 100
const WARM_UP = 15
/** Longer than what an update leaves running, or for later: the edge writes for others 100 ms after it was told. */
const QUIET_MS = 180
/** Without messages each takes seconds. */
const UNHEARD = 10
const UNHEARD_GOAL_MS = 15_000

/** A real Redis on a port of its own, for both. */
const startServer = async () => {
  const binary = redisServerBinary()
  if (binary === null) throw new Error("there is no redis-server on this machine")
  const directory = await mkdtemp(join(tmpdir(), "hotswap-redis-"))
  const port = await freePort()
  const options = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory]
  const server = spawn(binary, options, { stdio: "ignore" })
  const url = `redis://127.0.0.1:${port}`
  const probe = new Redis(url)
  probe.on("error", () => undefined)
  await probe.ping()
  probe.disconnect()
  return {
    url,
    stop: async () => {
      if (server.exitCode === null && server.signalCode === null) {
        const gone = once(server, "exit")
        server.kill("SIGTERM")
        await gone
      }
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Something that is written, and that a hundred hear of. */
interface Chain {
  write(value: number): Promise<void>
  /** Resolves once every one of them has that value. */
  seen(value: number): Promise<void>
  stop(): Promise<void>
}

/** Counts those who have come to a value. */
const createCount = () => {
  const at = new Array<number>(CLIENTS).fill(-1)
  let waiting: { value: number; resolve: () => void } | null = null
  const settle = () => {
    if (waiting && at.every((value) => value >= waiting!.value)) waiting.resolve()
  }
  return {
    has: (client: number, value: number): void => {
      at[client] = value
      settle()
    },
    reaches: (value: number): Promise<void> =>
      new Promise((resolve) => {
        waiting = { value, resolve }
        settle()
      }),
  }
}

const startBare = async (redisUrl: string): Promise<Chain> => {
  const bare: Contender = await startContender("bare chain", "bare-reload.ts", [redisUrl])
  const count = createCount()
  const leaving = new AbortController()
  const listen = async (client: number): Promise<void> => {
    const { body } = await fetch(bare.url, { signal: leaving.signal })
    const decoder = new TextDecoder()
    const read = async () => {
      let rest = ""
      for await (const piece of body!) {
        const events = (rest + decoder.decode(piece as Uint8Array, { stream: true })).split("\n\n")
        rest = events.pop()!
        for (const event of events) count.has(client, JSON.parse(event.slice("data: ".length)) as number)
      }
    }
    read().catch(() => undefined)
  }
  await Promise.all(Array.from({ length: CLIENTS }, (_, client) => listen(client)))
  return {
    write: async (value) => {
      const answer = await fetch(bare.url, { method: "PUT", body: JSON.stringify(value) })
      if (answer.status !== 204) throw new Error(`the bare chain answered ${answer.status}`)
    },
    seen: count.reaches,
    stop: async () => {
      if (leaving.signal.aborted) return
      leaving.abort()
      await bare.stop()
    },
  }
}

const startHotswapChain = async (redisUrl: string): Promise<Chain> => {
  const hotswap: RunningHotswap = await startHotswap({
    home: await temporaryHome(),
    env: { REDIS_URL: redisUrl },
  })
  const must = async (method: string, path: string, body: unknown) => {
    const answer = await hotswap.call<{ token: string }>(method, path, { body })
    if (answer.status >= 300)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  await must("POST", "/api/v1/tenants", { tenantId: TENANT, name: TENANT })
  const edits = Array.from({ length: 20 }, (_, i) => ({ key: `feature.flag_${i}`, value: i % 2 === 0 }))
  await must("POST", "/api/v1/changes", {
    tenantId: TENANT,
    environment: ENVIRONMENT,
    edits: [...edits, { key: KEY, value: -1 }],
  })
  const reader = { subject: "bench", roles: ["reader"], environment: ENVIRONMENT }
  const { token } = await must("POST", `/api/v1/tenants/${TENANT}/tokens`, reader)
  const count = createCount()
  const clients = Array.from(
    { length: CLIENTS },
    () => new HotswapClient({ url: hotswap.url, token, tenantId: TENANT, report: false }),
  )
  await Promise.all(clients.map((client) => client.ready()))
  for (const [index, client] of clients.entries())
    client.on("changed", () => count.has(index, client.get(KEY) as number))
  return {
    write: async (value) =>
      void (await must("PUT", `/api/v1/configs/${TENANT}:${ENVIRONMENT}:${KEY}`, { value })),
    seen: count.reaches,
    stop: async () => {
      await Promise.all(clients.map((client) => client.close()))
      await hotswap.stop()
      await removeHome(hotswap.home)
    },
  }
}

const timeUpdate = async (chain: Chain, value: number): Promise<number> => {
  await pause(QUIET_MS)
  const started = performance.now()
  const seen = chain.seen(value).then(() => performance.now() - started)
  await chain.write(value)
  return await seen
}

const compare = async (bare: Chain, hotswap: Chain, report: Report): Promise<void> => {
  const [bareMs, hotswapMs]: number[][] = [[], []]
  for (let value = 0; value < WARM_UP + UPDATES; value++) {
    const one = await timeUpdate(bare, value)
    const other = await timeUpdate(hotswap, value)
    if (value < WARM_UP) continue
    bareMs!.push(one)
    hotswapMs!.push(other)
  }
  const p95Ratio = round(quantile(hotswapMs!, 0.95) / quantile(bareMs!, 0.95))
  report.figure({
    suite: "reload",
    name: `write → the last of ${CLIENTS} SDK clients has it`,
    values: {
      p50Ms: round(median(hotswapMs!), 1),
      p95Ms: round(quantile(hotswapMs!, 0.95), 1),
      bareP50Ms: round(median(bareMs!), 1),
      bareP95Ms: round(quantile(bareMs!, 0.95), 1),
      pairedRatio: round(pairedRatio(hotswapMs!, bareMs!)),
      p95Ratio,
    },
    goal: { text: "p95 ≤ 2 × transaction → publish → SSE to as many, by hand", met: p95Ratio <= 2 },
  })
}

/** Nothing is told any more: what the clients' streams find by looking is all there is. */
const withoutRedis = async (hotswap: Chain, report: Report): Promise<void> => {
  const timesMs: number[] = []
  for (let i = 0; i < UNHEARD; i++) timesMs.push(await timeUpdate(hotswap, WARM_UP + UPDATES + i))
  const mostMs = round(Math.max(...timesMs), 0)
  report.figure({
    suite: "reload",
    name: `Redis dead: the last of ${CLIENTS} SDK clients has it`,
    values: { updates: UNHEARD, p50Ms: round(median(timesMs), 0), mostMs },
    goal: { text: "within the bound of 15 s", met: mostMs < UNHEARD_GOAL_MS },
  })
}

/** From sending a write until everybody has what was written, beside the same chain written by hand. */
export const reload: Suite = {
  name: "reload",
  run: async (report) => {
    const redis = await startServer()
    const bare = await startBare(redis.url)
    const hotswap = await startHotswapChain(redis.url)
    try {
      await compare(bare, hotswap, report)
      await bare.stop()
      await redis.stop()
      await withoutRedis(hotswap, report)
    } finally {
      await hotswap.stop()
      await bare.stop()
      await redis.stop()
    }
  },
}
