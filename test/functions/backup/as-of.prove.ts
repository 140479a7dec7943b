import { expect, test } from "vitest"
import { restoreHistories } from "./as-of-histories.ts"
import { createRestoreWorld } from "./into-world.ts"

test("100 histories of tenants, each restored as of three of its moments and at random on the way, read as they did then", async () => {
  let restores = 0
  for (let seed = 1; seed <= 2; seed++) {
    const world = await createRestoreWorld()
    restores += await restoreHistories(world, { histories: 50, steps: 14, restores: 3, seed })
    await world.close()
  }
  console.info(`${restores} restores at the end, and those on the way`)
  expect(restores).toBe(300)
})
