import autocannon from "autocannon"
import { type Contender, cpuMicros } from "./processes.ts"

/** One burst of load on one contender. */
export interface Burst {
  requestsPerSecond: number
  /** CPU of the server's processes per request, microseconds. */
  cpuMicrosPerRequest: number
  p50Ms: number
  p99Ms: number
  failures: number
}

export interface Load {
  connections: number
  seconds: number
  path: string
  headers?: Readonly<Record<string, string>>
  /** Requests per second over all connections, corrected for coordinated omission; absent = as fast as it goes. */
  rate?: number
  expectStatus?: number
}

/** Sends `load` to `contender` and says what came of it. */
export const burst = async (contender: Contender, load: Load): Promise<Burst> => {
  const before = cpuMicros(contender.pids)
  const result = await autocannon({
    url: contender.url + load.path,
    connections: load.connections,
    duration: load.seconds,
    headers: { ...contender.headers, ...load.headers },
    ...(load.rate ? { overallRate: load.rate } : {}),
  })
  const cpu = cpuMicros(contender.pids) - before
  const answered = result.requests.total
  const wanted = load.expectStatus ?? 200
  const right = wanted === 304 ? result["3xx"] : result["2xx"]
  return {
    requestsPerSecond: result.requests.average,
    cpuMicrosPerRequest: cpu / Math.max(1, answered),
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    failures: result.errors + result.timeouts + (answered - right),
  }
}

/** Runs every contender once a round, in an order that turns, and returns the bursts by name. */
export const interleave = async (
  rounds: number,
  entries: readonly { name: string; run: () => Promise<Burst> }[],
): Promise<Map<string, Burst[]>> => {
  const bursts = new Map<string, Burst[]>(entries.map(({ name }) => [name, []]))
  for (const { run } of entries) await run()
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < entries.length; i++) {
      const { name, run } = entries[(i + round) % entries.length]!
      bursts.get(name)!.push(await run())
    }
  }
  return bursts
}
