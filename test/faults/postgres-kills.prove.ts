import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { readPostmaster } from "../../local/postgres/ownership.ts"
import { type RunningHotswap, removeHome, startHotswap, temporaryHome } from "../support/hotswap.ts"
import { createReader, createTenant, expectAcknowledged, MOVING_BOUND, write } from "./tenant.ts"

const TIMES = 10
const WRITERS = 8
/** Writes, by all of them together. */
const BETWEEN_KILLS = 200

let hotswap: RunningHotswap
beforeAll(async () => {
  hotswap = await startHotswap({ home: await temporaryHome() })
})
afterAll(async () => {
  await hotswap.stop()
  await removeHome(hotswap.home)
})

const postmaster = (): number | undefined => readPostmaster(join(hotswap.home, "postgres/data"))?.pid

/** One of the processes that serve a connection; PostgreSQL then ends them all, and recovers by itself. */
const backend = (): number =>
  Number(
    execFileSync("pgrep", ["-P", String(postmaster()), "-f", "hotswap_app"], { encoding: "utf8" }).split(
      "\n",
    )[0],
  )

test.each([
  ["the whole of PostgreSQL", postmaster],
  ["one of its connections' processes", backend],
] as const)(
  `kill -9 of %s, ${TIMES} times while it is written to: node lives, nothing acknowledged is lost`,
  async (_, victim) => {
    const prefix = victim === postmaster ? "whole" : "part"
    const writers = await Promise.all(
      Array.from({ length: WRITERS }, (_, i) => createTenant(hotswap, `${prefix}-${i}`)),
    )
    const readers = writers.map((tenant) => ({ edge: createReader(tenant), origin: createReader(tenant) }))
    const statuses = new Map<number, number>()
    for (let round = 0; round < TIMES; round++) {
      let killed = false
      const before = statuses.get(200) ?? 0
      const writing = writers.map(async (tenant) => {
        for (;;) {
          const { status, code } = await write(hotswap, tenant)
          statuses.set(status, (statuses.get(status) ?? 0) + 1)
          if (status !== 200) expect([status, code]).toEqual([503, "DATABASE_UNAVAILABLE"])
          // Goes on until it has been seen to work again.
          else if (killed) return
        }
      })
      await expect.poll(() => statuses.get(200) ?? 0, MOVING_BOUND).toBeGreaterThan(before + BETWEEN_KILLS)
      process.kill(victim()!, "SIGKILL")
      killed = true
      await Promise.all(writing)
      await Promise.all(writers.map((tenant, i) => expectAcknowledged(hotswap, tenant, readers[i])))
    }
    console.log(
      `${prefix}: ${TIMES} kills; answers to writes ${JSON.stringify(Object.fromEntries(statuses))}`,
    )
  },
)
