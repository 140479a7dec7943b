import { afterAll, beforeAll, expect, test } from "vitest"
import { killed } from "./job-kills.ts"
import { type JobWorld, jobWorld } from "./job-world.ts"

let world: JobWorld
beforeAll(async () => {
  world = await jobWorld()
})
afterAll(() => world.close())

test("a job whose process is killed is gone on with, and nothing of it is done twice", {
  timeout: 60_000,
}, async () => {
  for (const [call, moment] of [
    [6, "answered"],
    [12, "sent"],
    [17, "before"],
    [24, "sent"],
  ] as const)
    expect(await killed(world, { call, moment })).toBe(true)
})
