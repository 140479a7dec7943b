import { expect, test } from "vitest"
import { updateUnderDisturbance } from "./regressions.ts"

test("10,000 updates, told too little, twice and in the wrong order: nobody goes back, and everybody ends where things are", {
  timeout: 3_600_000,
}, async () => {
  const { disturbed, ...found } = await updateUnderDisturbance({ updates: 10_000, tenants: 8, seed: 1 })
  console.log(JSON.stringify({ ...found, disturbed }))
  expect(found).toMatchObject({ updates: 10_000, regressions: [], behind: [] })
  expect(found.seen).toBeGreaterThan(1_000)
})
