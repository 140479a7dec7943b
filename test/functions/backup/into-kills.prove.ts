import { expect, test } from "vitest"
import { restoreKilled } from "./into-kills.ts"

test("a restore killed before and after each time it asks the database is gone on with, and files each change once", async () => {
  const killed = await restoreKilled({ every: 1, from: 1 })
  console.info(`killed at ${killed} points`)
  expect(killed).toBeGreaterThan(50)
})
