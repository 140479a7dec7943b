import { afterAll, beforeAll, expect, test } from "vitest"
import { killed, killPoint } from "./job-kills.ts"
import { type JobWorld, jobWorld } from "./job-world.ts"

let world: JobWorld
beforeAll(async () => {
  world = await jobWorld()
})
afterAll(() => world.close())

test("wherever a process that does a job is killed, the job is gone on with, and nothing of it is done twice", {
  timeout: 1_800_000,
}, async () => {
  let kills = 0
  while (await killed(world, killPoint(kills))) kills++
  console.log(`killed at ${kills} points`)
  expect(kills).toBeGreaterThan(60)
})
