import { expect, test } from "vitest"
import { exportWhileWriting } from "./instants.ts"

test("each of a hundred archives made while the tenant is written to is of one instant", async () => {
  const seen = await exportWhileWriting(10, 10)
  console.log(JSON.stringify(seen))
  expect(seen.archives).toBe(100)
  expect(seen.moved).toBeGreaterThan(90)
}, 1_200_000)
