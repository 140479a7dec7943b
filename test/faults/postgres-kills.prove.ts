import { expect, test } from "vitest"
import { killPostgres } from "./postgres-kills.ts"

const KILLS = Number(process.env.HOTSWAP_KILLS ?? 200)

const shareOf = (sorted: readonly number[], share: number): number =>
  Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN)

const shown = (ms: readonly number[]): string => {
  const sorted = [...ms].sort((a, b) => a - b)
  return `p50 ${shareOf(sorted, 0.5)} ms, p99 ${shareOf(sorted, 0.99)} ms (${sorted.length})`
}

test(`PostgreSQL killed with -9 inside transactions ${KILLS} times: nothing acknowledged is lost or applied twice, every answer in its time`, async () => {
  const { recoveryMs, stock, ...report } = await killPostgres(KILLS, { seed: 11, withStock: true })
  console.log(JSON.stringify(report))
  for (const [what, ms] of Object.entries(recoveryMs)) console.log(`${what}: ${shown(ms)}`)
  const { recoveryMs: stockMs, ...stockTally } = stock!
  console.log(`the driver by itself: ${JSON.stringify(stockTally)}; ${shown(stockMs)}`)
  expect(report).toMatchObject({
    kills: { postmaster: Math.ceil(KILLS / 2), backend: Math.floor(KILLS / 2) },
    crashes: 0,
    wrongVersions: 0,
    wrongAudits: 0,
    late: 0,
    load: { complaints: {} },
  })
})
