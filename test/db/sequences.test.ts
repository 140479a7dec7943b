import { expect, test } from "vitest"
import { replaySequences } from "./sequences.ts"

test("PostgreSQL loads what the rules decided on and keeps what came of it, whatever people and the clock do", async () => {
  const { loads, commits } = await replaySequences(20, 20_261_121)
  expect(loads).toBeGreaterThan(500)
  expect(commits).toBeGreaterThan(200)
})
