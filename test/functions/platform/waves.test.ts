import { afterAll, beforeAll, expect, test } from "vitest"
import { ROLLOUTS, rollThroughWaves, wavesWorld } from "./waves.ts"

let world: Awaited<ReturnType<typeof wavesWorld>>
beforeAll(async () => {
  world = await wavesWorld(20)
})
afterAll(() => world.close())

// The tier's after the platform's: two rollouts go one at a time.
test.each(["platform", "tier"] as const)(
  "a change of the %s reaches exactly the tenants of its waves, on every way to read, now and as of then",
  async (layer) => {
    await rollThroughWaves(world, ROLLOUTS[layer])
    expect(world.logged.filter((line) => line.includes("rror"))).toEqual([])
  },
)
