import { test } from "vitest"
import { replaySequences } from "./sequences.ts"

test("a thousand sequences are loaded and kept by PostgreSQL as the rules have them", async () => {
  const { sequences, loads, commits } = await replaySequences(1_000, 11_122_026)
  console.log(`${sequences} sequences, ${loads} loads, ${commits} commits`)
})
