import { expect, test } from "vitest"
import { restoreHistories } from "./histories.ts"

test("150 random histories are archived and judged; those of tenants restored to the byte, and copied", async () => {
  const { restored } = await restoreHistories(150, 20_261_123)
  console.log(`${restored} tenants`)
  expect(restored).toBeGreaterThan(90)
})
