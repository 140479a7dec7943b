import { type Burst, burst, interleave } from "../load.ts"
import { type Contender, startContender } from "../processes.ts"
import { median, pairedRatio, round } from "../statistics.ts"
import { keyOf, LARGE, SMALL, startWorld, viewPath, type World } from "../world.ts"
import { misses } from "./misses.ts"
import type { Report, Suite } from "./suite.ts"

const ROUNDS = 7
const SECONDS = 2
const FIXED_RATE = 300

type Entry = { name: string; run: () => Promise<Burst> }

/** Throughput and CPU of `a` against `b`, round by round. */
const compare = (bursts: ReadonlyMap<string, Burst[]>, a: string, b: string) => {
  const pick = (name: string, of: (one: Burst) => number) => bursts.get(name)!.map(of)
  return {
    throughputRatio: round(
      pairedRatio(
        pick(a, (x) => x.requestsPerSecond),
        pick(b, (x) => x.requestsPerSecond),
      ),
    ),
    cpuRatio: round(
      pairedRatio(
        pick(a, (x) => x.cpuMicrosPerRequest),
        pick(b, (x) => x.cpuMicrosPerRequest),
      ),
    ),
    requestsPerSecond: Math.round(median(pick(a, (x) => x.requestsPerSecond))),
    cpuMicrosPerRequest: round(median(pick(a, (x) => x.cpuMicrosPerRequest)), 1),
    failures: pick(a, (x) => x.failures).reduce((sum, count) => sum + count, 0),
  }
}

const originAgainstFloor = async (world: World, floor: Contender, report: Report): Promise<void> => {
  const path = viewPath(SMALL.tenantId)
  const origin = world.origin(world.tokens.small)
  const etag = (await fetch(origin.url + path, { headers: origin.headers })).headers.get("etag")!
  for (const connections of [32, 100]) {
    const load = { connections, seconds: SECONDS, path }
    const entries: Entry[] = [
      { name: "floor", run: () => burst(floor, load) },
      { name: "origin", run: () => burst(origin, load) },
      {
        name: "304",
        run: () => burst(origin, { ...load, headers: { "if-none-match": etag }, expectStatus: 304 }),
      },
    ]
    const bursts = await interleave(ROUNDS, entries)
    const values = compare(bursts, "origin", "floor")
    report.figure({
      suite: "read",
      name: `origin against bare node:http, ${connections} connections`,
      values,
      goal: {
        text: "≥ 0.85 of its throughput, ≤ 1.25 × its CPU",
        met: values.throughputRatio >= 0.85 && values.cpuRatio <= 1.25,
      },
    })
    const unchanged = compare(bursts, "304", "origin")
    report.figure({
      suite: "read",
      name: `304 against 200, ${connections} connections`,
      values: unchanged,
      goal: { text: "CPU no dearer", met: unchanged.cpuRatio <= 1 },
    })
  }
}

const edgeAgainstFloor = async (world: World, bare: Contender, report: Report): Promise<void> => {
  const load = { connections: 32, seconds: SECONDS, path: viewPath(SMALL.tenantId) }
  const edge = world.edge(world.tokens.small)
  const bursts = await interleave(ROUNDS, [
    { name: "bare", run: () => burst(bare, load) },
    { name: "edge", run: () => burst(edge, load) },
  ])
  const values = compare(bursts, "edge", "bare")
  report.figure({
    suite: "read",
    name: "edge hit against a bare Worker, 32 connections",
    values,
    goal: { text: "CPU ≤ 1.25 ×", met: values.cpuRatio <= 1.25 },
  })
}

const fixedRate = async (world: World, floors: { origin: Contender; edge: Contender }, report: Report) => {
  const path = viewPath(SMALL.tenantId)
  for (const level of ["origin", "edge"] as const) {
    const load = { connections: 10, seconds: 4, path, rate: FIXED_RATE }
    const bursts = await interleave(3, [
      { name: "floor", run: () => burst(floors[level], load) },
      { name: level, run: () => burst(world[level](world.tokens.small), load) },
    ])
    const floorP99Ms = median(bursts.get("floor")!.map(({ p99Ms }) => p99Ms))
    const p99Ms = median(bursts.get(level)!.map((one) => one.p99Ms))
    report.figure({
      suite: "read",
      name: `${level} at ${FIXED_RATE} requests/s`,
      values: { p50Ms: median(bursts.get(level)!.map((one) => one.p50Ms)), p99Ms, floorP99Ms },
      goal: { text: "p99 ≤ max(10 ms, 3 × the floor's)", met: p99Ms <= Math.max(10, 3 * floorP99Ms) },
    })
  }
}

const singleKey = async (world: World, report: Report): Promise<void> => {
  for (const level of ["origin", "edge"] as const) {
    const entry = (name: string, tenant: typeof SMALL, token: string): Entry => ({
      name,
      run: () =>
        burst(world[level](token), {
          connections: 32,
          seconds: SECONDS,
          path: `${viewPath(tenant.tenantId)}&key=${keyOf(tenant.keys - 1)}`,
        }),
    })
    const bursts = await interleave(ROUNDS, [
      entry("small", SMALL, world.tokens.small),
      entry("large", LARGE, world.tokens.large),
    ])
    const values = compare(bursts, "large", "small")
    report.figure({
      suite: "read",
      name: `${level}: one key of 10,000 against one of 20`,
      values,
      goal: { text: "CPU no dearer (± 10 % noise)", met: values.cpuRatio <= 1.1 },
    })
  }
}

/** The hot read at every level, beside the least an honest server would do in the same place. */
export const read: Suite = {
  name: "read",
  run: async (report) => {
    const floor = await startContender("floor", "floor.ts", [String(SMALL.keys), viewPath(SMALL.tenantId)])
    const bare = await startContender("bare", "bare-worker.ts", [
      String(SMALL.keys),
      viewPath(SMALL.tenantId),
    ])
    const world = await startWorld()
    try {
      await originAgainstFloor(world, floor, report)
      await edgeAgainstFloor(world, bare, report)
      await fixedRate(world, { origin: floor, edge: bare }, report)
      await singleKey(world, report)
    } finally {
      await Promise.all([floor.stop(), bare.stop(), world.stop()])
    }
    await misses(report)
  },
}
