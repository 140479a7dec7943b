import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import postgres from "postgres"
import { startPostgres } from "../../local/postgres.ts"
import { median, pairedRatio, quantile, round } from "../statistics.ts"
import { ENVIRONMENT, keyOf, LARGE, SMALL, startWorld, type World } from "../world.ts"
import type { Report, Suite } from "./suite.ts"

const WRITES = 400
const WARM_UP = 100
const WRITERS = 8
/** Longer than what an answered write leaves running: neither side is measured while that goes on. */
const QUIET_MS = 30

const quietMillis = async (work: () => Promise<unknown>): Promise<number> => {
  await pause(QUIET_MS)
  return await millis(work)
}

const millis = async (work: () => Promise<unknown>): Promise<number> => {
  const started = performance.now()
  await work()
  return performance.now() - started
}

/** One transaction of three rows, as an application without Hotswap would write a value, its history and its log. */
const startBare = async () => {
  const directory = await mkdtemp(join(tmpdir(), "hotswap-bench-"))
  const server = await startPostgres({ directory, durability: "full" })
  const sql = postgres(server.url("hotswap_owner"), { max: 1, fetch_types: false, onnotice: () => {} })
  await sql`create table bare_values (tenant text, key text, value jsonb, primary key (tenant, key))`
  await sql`create table bare_history (id bigserial primary key, tenant text, key text, value jsonb)`
  await sql`create table bare_log (id bigserial primary key, tenant text, entry jsonb)`
  return {
    write: (index: number) =>
      sql.begin(async (tx) => {
        await tx`insert into bare_values values ('acme', 'key', ${String(index)}::jsonb)
          on conflict (tenant, key) do update set value = excluded.value`
        await tx`insert into bare_history (tenant, key, value) values ('acme', 'key', ${String(index)}::jsonb)`
        await tx`insert into bare_log (tenant, entry) values ('acme', ${String(index)}::jsonb)`
      }),
    stop: async () => {
      await sql.end()
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

const update = async (world: World, tenantId: string, key: string, value: unknown): Promise<void> => {
  const answer = await world.hotswap.call("PUT", `/api/v1/configs/${tenantId}:${ENVIRONMENT}:${key}`, {
    body: { value },
    origin: true,
  })
  if (answer.status !== 200) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`)
}

const oneWriter = async (world: World, report: Report): Promise<void> => {
  const bare = await startBare()
  const series = { bare: [] as number[], small: [] as number[], large: [] as number[] }
  try {
    for (let i = -WARM_UP; i < WRITES; i++) {
      const bareMs = await quietMillis(() => bare.write(i))
      const smallMs = await quietMillis(() => update(world, SMALL.tenantId, keyOf(0), `value ${i}`))
      const largeMs = await quietMillis(() => update(world, LARGE.tenantId, keyOf(i + WARM_UP), `value ${i}`))
      if (i < 0) continue
      series.bare.push(bareMs)
      series.small.push(smallMs)
      series.large.push(largeMs)
    }
  } finally {
    await bare.stop()
  }
  for (const name of ["small", "large"] as const) {
    const p50Ratio = round(median(series[name]) / median(series.bare))
    const p99Ms = round(quantile(series[name], 0.99))
    report.figure({
      suite: "write",
      name: `update over HTTP, tenant of ${name === "small" ? SMALL.keys : LARGE.keys} keys`,
      values: {
        p50Ratio,
        pairedRatio: round(pairedRatio(series[name], series.bare)),
        p50Ms: round(median(series[name])),
        p99Ms,
        bareP50Ms: round(median(series.bare)),
        bareP99Ms: round(quantile(series.bare, 0.99)),
      },
      goal: { text: "p50 ≤ 4 × a bare 3-row transaction, p99 < 100 ms", met: p50Ratio <= 4 && p99Ms < 100 },
    })
  }
}

const manyWriters = async (world: World, report: Report): Promise<void> => {
  const times: number[] = []
  const started = performance.now()
  await Promise.all(
    Array.from({ length: WRITERS }, async (_, writer) => {
      for (let i = 0; i < WRITES / WRITERS; i++)
        times.push(await millis(() => update(world, SMALL.tenantId, keyOf(writer + 1), `${writer} ${i}`)))
    }),
  )
  const seconds = (performance.now() - started) / 1_000
  const p99Ms = round(quantile(times, 0.99))
  report.figure({
    suite: "write",
    name: `${WRITERS} writers on one tenant's environment`,
    values: { p50Ms: round(median(times)), p99Ms, writesPerSecond: Math.round(WRITES / seconds) },
    goal: { text: "p99 < 100 ms", met: p99Ms < 100 },
  })
}

/** A change to one key, acknowledged: decided, versioned, released, audited, durable. */
export const write: Suite = {
  name: "write",
  run: async (report) => {
    const world = await startWorld()
    try {
      await oneWriter(world, report)
      await manyWriters(world, report)
    } finally {
      await world.stop()
    }
  },
}
