import { expect, test } from "vitest"
import { killPostgres } from "./postgres-kills.ts"

test("PostgreSQL killed with -9 inside transactions: nothing acknowledged is lost or applied twice, every answer in its time", {
  timeout: 120_000,
}, async () => {
  const report = await killPostgres(3, { seed: 7, withStock: false })
  expect(report).toMatchObject({
    kills: { postmaster: 2, backend: 1 },
    crashes: 0,
    wrongVersions: 0,
    wrongAudits: 0,
    late: 0,
    load: { complaints: {} },
  })
  expect(report.load.inDoubt).toBeGreaterThan(0)
})
