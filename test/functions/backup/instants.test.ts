import { expect, test } from "vitest"
import { exportWhileWriting } from "./instants.ts"

test("an archive made while the tenant is written to is of one instant", async () => {
  const seen = await exportWhileWriting(1, 5)
  expect(seen.archives).toBe(5)
  expect(seen.moved).toBeGreaterThan(1)
}, 60_000)
