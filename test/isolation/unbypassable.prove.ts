import { expect, test } from "vitest"
import { tryToBypass } from "./unbypassable.ts"

test("200 times 60 calls of one person with every role: nothing of hers is read in Production", async () => {
  const { taken, refused } = await tryToBypass({ sequences: 200, calls: 60, seed: 7 })
  console.log(`${taken} calls taken, ${refused} refused`)
  expect(taken).toBeGreaterThan(1_000)
})
