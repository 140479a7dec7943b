import { expect, test } from "vitest"
import { restoreHistories } from "./histories.ts"

test("300 random histories of tenants are archived, judged, restored to the byte and copied", async () => {
  const { restored } = await restoreHistories(500, 20_261_123)
  console.log(`${restored} tenants`)
  expect(restored).toBeGreaterThan(300)
})
