import { expect, test } from "vitest"
import { updateUnderDisturbance } from "./regressions.ts"

test("clients who are told too little, twice and in the wrong order never go back, and end where things are", {
  timeout: 120_000,
}, async () => {
  const { disturbed, ...found } = await updateUnderDisturbance({ updates: 60, tenants: 2, seed: 1 })
  expect(found).toMatchObject({ updates: 60, regressions: [], behind: [] })
  expect(Math.min(...Object.values(disturbed))).toBeGreaterThan(0)
})
