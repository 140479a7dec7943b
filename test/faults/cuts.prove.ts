import { expect, test } from "vitest"
import { cutConversations } from "./cut-runs.ts"

test("conversations with PostgreSQL broken off at 600 bytes of theirs: each write has happened once after it is repeated", async () => {
  const { tally, isWhole } = await cutConversations({ noticed: 600, unnoticed: 6 }, 11)
  console.log(JSON.stringify(tally))
  expect(tally).toMatchObject({ late: 0, uncaught: 0, complaints: [] })
  expect(isWhole).toBe(true)
})
