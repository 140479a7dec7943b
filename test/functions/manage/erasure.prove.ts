import { afterAll, beforeAll, test } from "vitest"
import { killedAtEveryStep } from "./erasure-kills.ts"
import { type ErasureWorld, erasureWorld } from "./erasure-world.ts"

let world: ErasureWorld
beforeAll(async () => {
  world = await erasureWorld()
})
afterAll(() => world.close())

test("an erasure that is killed before or after any of its transactions goes on where it was", async () => {
  console.log(`killed at ${await killedAtEveryStep(world, 1)} steps`)
})
