import { afterAll, beforeAll, expect, test } from "vitest"
import { killed } from "./job-kills.ts"
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
  let call = 1
  // An answer may come only after the next call was made: then nobody dies of it.
  for (; await killed(world, { call, moment: "before" }); call++) {
    kills++
    for (const moment of ["sent", "answered"] as const) if (await killed(world, { call, moment })) kills++
  }
  console.log(`killed ${kills} times in ${call - 1} calls`)
  expect(call).toBeGreaterThan(40)
})
