import { afterAll, beforeAll, expect, test } from "vitest"
import { raced, retainedAfterKills } from "./retain-runs.ts"
import { type ScheduleWorld, scheduleWorld } from "./schedule-world.ts"

let world: ScheduleWorld
beforeAll(async () => {
  world = await scheduleWorld()
})
afterAll(() => world.close())

test("retention killed before or after each of its calls of database and store leaves every archive whole, and goes on", async () => {
  const kills = await retainedAfterKills(world, "killed", 1)
  console.log(`killed at ${kills} steps`)
  expect(kills).toBeGreaterThan(20)
})

test("500 backups beside retention that takes away what they reuse: each that is complete is whole", async () => {
  const counted = await raced(world, "race", 500)
  console.log(`${counted.removed} archives were taken away meanwhile`)
  expect(counted.removed).toBeGreaterThan(50)
})
