import { expect, test } from "vitest"
import { cutConversations } from "./cut-runs.ts"

test("a write whose conversation with PostgreSQL breaks off at any byte has happened once after it is repeated, and leaves nothing behind", {
  timeout: 60_000,
}, async () => {
  const { tally, isWhole } = await cutConversations({ noticed: 80, unnoticed: 2 }, 7)
  expect(tally).toMatchObject({ late: 0, uncaught: 0, complaints: [] })
  expect(isWhole).toBe(true)
  expect(tally.cut).toBeGreaterThan(70)
  expect(tally.hadHappened).toBeGreaterThan(0)
})
