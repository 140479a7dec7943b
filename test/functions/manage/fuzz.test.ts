import { afterAll, beforeAll, test } from "vitest"
import { fuzz } from "./fuzz.ts"
import { createWorld, type World } from "./world.ts"

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

test("whatever is sent, the answer is what was asked for or one problem of the registry, never a 500", () =>
  fuzz(world, 1_000, 20_260_101))
