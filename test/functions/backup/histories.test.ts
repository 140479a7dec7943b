import { expect, test } from "vitest"
import { restoreHistories } from "./histories.ts"

test("a tenant is restored and copied whatever people and the clock had done to it", async () => {
  const { restored } = await restoreHistories(8, 20_261_122)
  expect(restored).toBeGreaterThan(3)
})
